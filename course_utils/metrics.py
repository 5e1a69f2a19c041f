"""Numbers that judge a classifier, with their uncertainty. NumPy arrays, lists or tensors in, floats out.

Heavier metrics (AUROC, mAP, panoptic quality) come from torchmetrics. Lesson 09 explains intervals, lesson 06
calibration.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from course_utils.errors import CourseError
from course_utils.runtime import Value


def accuracy(predictions, targets) -> float:
    """The share of right predictions, from 0 to 1.

    ``predictions``: ``(N,)`` class numbers, or ``(N, K)`` logits or probabilities; ``targets``: ``(N,)``.
    Raises :class:`CourseError` when the shapes do not fit or nothing is given.

    >>> accuracy([0, 1, 1, 0], [0, 1, 0, 0])
    0.75
    """
    return float(_correct(predictions, targets).mean())


def accuracy_value(predictions, targets, confidence: float = 0.95, seed: int = 0) -> Value:
    """Accuracy with its bootstrap interval and sample size, ready for ``record``.

    >>> accuracy_value([0, 1, 1, 0], [0, 1, 0, 0]).n
    4
    """
    correct = _correct(predictions, targets)
    low, high = bootstrap_interval(correct, confidence=confidence, seed=seed)
    return Value(float(correct.mean()), low=low, high=high, n=len(correct), unit="fraction")


def group_accuracy(predictions, targets, groups, confidence: float = 0.95, seed: int = 0) -> dict[str, Value]:
    """Accuracy with its interval in each group, such as each kind of solar module. ``groups``: ``(N,)`` labels.

    >>> group_accuracy([0, 1, 1], [0, 1, 0], ["mono", "mono", "poly"])["mono"].value
    1.0
    """
    predictions, targets, groups = _array(predictions), _array(targets), np.asarray(groups)
    if groups.shape != (len(targets),):
        raise CourseError(
            f"groups has shape {groups.shape} for {len(targets)} targets. Valid: one label for each."
        )
    return {
        str(g): accuracy_value(predictions[groups == g], targets[groups == g], confidence, seed)
        for g in np.unique(groups)
    }


def bootstrap_interval(
    sample,
    statistic: Callable = np.mean,
    n_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval ``(low, high)`` of a statistic (Efron, 1979).

    ``sample``: ``(N,)`` values, for accuracy the array of right (1) and wrong (0); or a tuple of such arrays, which
    are resampled together. ``statistic`` takes those arrays and gives a number; with an ``axis`` argument, like
    ``np.mean``, it is called once for many resamples. Raises :class:`CourseError` for an empty sample.

    >>> bootstrap_interval(np.ones(10))
    (1.0, 1.0)
    """
    columns = tuple(_array(c) for c in sample) if isinstance(sample, tuple) else (_array(sample),)
    n = len(columns[0]) if columns and columns[0].ndim else 0
    if n == 0 or any(len(c) != n for c in columns):
        raise CourseError(
            f"sample has lengths {[len(np.atleast_1d(c)) for c in columns]}. Valid: equal, at least 1."
        )
    if not 0 < confidence < 1:
        raise CourseError(f"confidence is {confidence!r}. Valid: between 0 and 1, such as 0.95.")
    rng = np.random.default_rng(seed)
    vectorised = "axis" in _parameters(statistic)
    results, batch = [], max(1, 2_000_000 // n)
    for start in range(0, n_resamples, batch):
        rows = rng.integers(0, n, (min(batch, n_resamples - start), n))
        if vectorised:
            results.append(np.asarray(statistic(*(c[rows] for c in columns), axis=-1), dtype=float))
        else:
            results.append(np.array([float(statistic(*(c[row] for c in columns))) for row in rows]))
    return percentile_interval(np.concatenate(results), confidence)


def percentile_interval(values, confidence: float = 0.95) -> tuple[float, float]:
    """The interval that holds the middle ``confidence`` of some values, such as one result for each seed.

    >>> percentile_interval([0.0, 0.5, 1.0], confidence=0.5)
    (0.25, 0.75)
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(_array(values), [tail, 1 - tail])
    return float(low), float(high)


def seed_interval(values, confidence: float = 0.95, test_to_train: float = 0.0) -> tuple[float, float]:
    """The interval for the mean over seeds by Student's t, which stays honest for as few as three values.

    ``test_to_train``: where each seed splits the *same* pictures anew, the number of test pictures divided by the number
    of training pictures. Such results share most of their pictures, so the variance of the mean of n is taken as
    ``1 / n + test_to_train`` of that of one, not ``1 / n`` (Nadeau and Bengio, 2003); 0 is for independent results.
    Raises :class:`CourseError` for fewer than two values, and for a negative ``test_to_train``.

    >>> low, high = seed_interval([0.88, 0.89, 0.90])
    >>> round(low, 3), round(high, 3)
    (0.865, 0.915)
    >>> low, high = seed_interval([0.88, 0.89, 0.90], test_to_train=1 / 3)
    >>> round(low, 3), round(high, 3)
    (0.855, 0.925)
    """
    values = _array(values).astype(float)
    if values.ndim != 1 or len(values) < 2:
        raise CourseError(
            f"seed_interval() got {values.tolist()!r}. Valid: one result for each of at least two seeds."
        )
    if not test_to_train >= 0:
        raise CourseError(
            f"test_to_train is {test_to_train!r}. Valid: test pictures divided by training pictures, at least 0."
        )
    from scipy.special import stdtrit

    half = stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1)
    half *= (1 / len(values) + test_to_train) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def confusion_matrix(targets, predictions, n_classes: int | None = None) -> np.ndarray:
    """Count pairs: entry ``[i, j]`` is how many pictures of class i were predicted as class j, ``(K, K)`` int.

    Raises :class:`CourseError` for a class number outside 0 … K - 1.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    targets, predictions = _array(targets).astype(int), _classes(predictions)
    _same_length(predictions, targets)
    k = int(max(targets.max(), predictions.max())) + 1 if n_classes is None else n_classes
    if min(targets.min(), predictions.min()) < 0 or max(targets.max(), predictions.max()) >= k:
        raise CourseError(f"class numbers go from {min(targets.min(), predictions.min())} to "
                          f"{max(targets.max(), predictions.max())}. Valid: 0 to {k - 1}.")  # fmt: skip
    return np.bincount(targets * k + predictions, minlength=k * k).reshape(k, k)


@dataclass(frozen=True)
class CalibrationBins:
    """Bins of equal width over the confidence, each ``(bins,)``; ``edges`` is ``(bins + 1,)``. Empty bins hold 0."""

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def calibration_bins(probabilities, targets, bins: int = 15) -> CalibrationBins:
    """Mean confidence and accuracy in each bin of confidence.

    ``probabilities``: ``(N, K)``, where the confidence is the largest one and accuracy is that of the argmax; or
    ``(N,)`` for the positive class of two, where accuracy is the share of positives. ``targets``: ``(N,)``; beside
    ``(N,)`` they may be probabilities themselves, where an expert gave them.
    Raises :class:`CourseError` for values outside [0, 1]: logits need a softmax first.

    >>> calibration_bins([0.1, 0.9, 0.8], [0, 1, 0], bins=2).accuracy.tolist()
    [0.0, 0.5]
    """
    probabilities, targets = _probabilities(probabilities), _array(targets)
    _same_length(probabilities, targets)
    if probabilities.ndim == 2:
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    else:
        confidence, right = probabilities, targets
    edges = np.linspace(0, 1, bins + 1)
    which = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    each = np.maximum(counts, 1)
    sums = [np.bincount(which, weights=w, minlength=bins) / each for w in (confidence, right.astype(float))]
    return CalibrationBins(edges, counts, *sums)


def expected_calibration_error(probabilities, targets, bins: int = 15) -> float:
    """The mean gap between confidence and accuracy over the bins, weighted by their counts, from 0 to 1.

    Arguments as for :func:`calibration_bins`. Naeini et al. (2015); Guo et al. (2017). A net of low accuracy can be
    calibrated and one of high accuracy need not be: read it beside :func:`accuracy`.

    >>> round(expected_calibration_error([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 0]), 6)
    0.0
    """
    table = calibration_bins(probabilities, targets, bins)
    return float(np.abs(table.accuracy - table.confidence) @ table.counts / table.counts.sum())


def brier_score(probabilities, targets) -> float:
    """The mean squared distance between probabilities and what happened (Brier, 1950); 0 is perfect.

    ``(N,)`` for the positive class: from 0 to 1, and ``targets`` may be probabilities. ``(N, K)``: summed over the
    classes, from 0 to 2.

    >>> brier_score([0.5, 1.0], [1, 1])
    0.125
    >>> brier_score([0.5], [0.5])
    0.0
    """
    probabilities, targets = _probabilities(probabilities), _array(targets)
    _same_length(probabilities, targets)
    if probabilities.ndim == 1:
        return float(((probabilities - targets) ** 2).mean())
    hit = np.eye(probabilities.shape[1])[targets.astype(int)]
    return float(((probabilities - hit) ** 2).sum(axis=1).mean())


def _array(value) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    return np.asarray(value)


def _classes(predictions) -> np.ndarray:
    predictions = _array(predictions)
    return (predictions.argmax(axis=1) if predictions.ndim == 2 else predictions).astype(int)


def _correct(predictions, targets) -> np.ndarray:
    predictions, targets = _classes(predictions), _array(targets)
    _same_length(predictions, targets)
    return predictions == targets


def _same_length(predictions, targets) -> None:
    if targets.ndim != 1 or len(predictions) != len(targets) or not len(targets) or predictions.ndim > 2:
        raise CourseError(
            f"predictions have shape {predictions.shape} and targets {targets.shape}. "
            "Valid: (N,) or (N, K) predictions and (N,) targets, N at least 1."
        )


def _probabilities(value) -> np.ndarray:
    value = _array(value).astype(float)
    if value.size and not (value.min() >= 0 and value.max() <= 1 + 1e-6):
        raise CourseError(
            f"probabilities go from {value.min():.4g} to {value.max():.4g}. Valid: 0 to 1; give softmax(logits)."
        )
    return value


def _parameters(function) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()
