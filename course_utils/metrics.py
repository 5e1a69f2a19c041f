"""Numbers that judge a classifier, with their uncertainty. NumPy arrays, lists or tensors in, floats out.

Heavier metrics (AUROC, mAP, panoptic quality) come from torchmetrics. Lesson 09 explains intervals, lesson 13
calibration.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from course_utils.errors import CourseError
from course_utils.runtime import Value


def accuracy(predictions, targets) -> float:
    """The share of right predictions, from 0 to 1.

    ``predictions``: ``(N,)`` class numbers, or ``(N, K)`` logits or probabilities of at least two classes; ``targets``:
    ``(N,)`` class numbers. Raises :class:`CourseError` when the shapes do not fit, nothing is given, or a class number is
    not whole.

    >>> accuracy([0, 1, 1, 0], [0, 1, 0, 0])
    0.75
    """
    return float(_correct(predictions, targets).mean())


def accuracy_value(predictions, targets, confidence: float = 0.95, seed: int = 0) -> Value:
    """Accuracy with its interval and sample size, ready for ``record``.

    The interval is that of :func:`bootstrap_interval`, which has no width where all predictions are right, or all wrong;
    there it is Wilson's score interval (Wilson, 1927). For a few dozen pictures the bootstrap is too narrow.

    >>> accuracy_value([0, 1, 1, 0], [0, 1, 0, 0]).n
    4
    >>> round(accuracy_value([0, 1, 1], [0, 1, 1]).low, 3)
    0.439
    """
    return _share(_correct(predictions, targets), confidence, seed)


def group_accuracy(predictions, targets, groups, confidence: float = 0.95, seed: int = 0) -> dict[str, Value]:
    """Accuracy with its interval in each group, such as each kind of solar module. ``groups``: ``(N,)`` labels.

    Raises :class:`CourseError` as :func:`accuracy`, and for a missing label (``None`` or NaN).

    >>> group_accuracy([0, 1, 1], [0, 1, 0], ["mono", "mono", "poly"])["mono"].value
    1.0
    """
    # Of a list: NumPy makes NaN a text beside texts.
    labels = groups if isinstance(groups, list | tuple) else _array(groups).tolist()
    correct, groups = _correct(predictions, targets), _array(groups)
    if groups.shape != correct.shape:
        raise CourseError(
            f"groups has shape {groups.shape} for {len(correct)} targets. Valid: one label for each."
        )
    missing = [i for i, g in enumerate(labels) if g is None or g != g]
    if missing:
        raise CourseError(
            f"groups holds {labels[missing[0]]} at {missing[:5]}. Give each picture a label, such as 'unknown'."
        )
    return {str(g): _share(correct[groups == g], confidence, seed) for g in np.unique(groups)}


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
    ``np.mean``, it is called once for many resamples. Raises :class:`CourseError` for an empty sample and for an array of
    several dimensions.

    >>> bootstrap_interval(np.ones(10))
    (1.0, 1.0)
    """
    columns = tuple(_array(c) for c in sample) if isinstance(sample, tuple) else (_array(sample),)
    shapes = [c.shape for c in columns]
    if not shapes or len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0] == (0,):
        raise CourseError(
            f"sample has shapes {shapes}. Valid: (N,), N at least 1; several arrays of one length come as a tuple."
        )
    check_interval(confidence, n_resamples)
    n = len(columns[0])
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

    Raises :class:`CourseError` where there is no value.

    >>> percentile_interval([0.0, 0.5, 1.0], confidence=0.5)
    (0.25, 0.75)
    """
    check_interval(confidence)
    values = _array(values)
    if not values.size:
        raise CourseError("percentile_interval() got no values. Give at least one.")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
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
    check_interval(confidence)
    from scipy.special import stdtrit

    half = stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1)
    half *= (1 / len(values) + test_to_train) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def check_interval(confidence: float, n_resamples: int = 1) -> None:
    """Raise :class:`CourseError` unless ``confidence`` lies between 0 and 1 and ``n_resamples`` is at least 1.

    >>> check_interval(95)
    Traceback (most recent call last):
    course_utils.errors.CourseError: confidence is 95. Valid: between 0 and 1, such as 0.95.
    """
    if not 0 < confidence < 1:
        raise CourseError(f"confidence is {confidence!r}. Valid: between 0 and 1, such as 0.95.")
    if n_resamples < 1:
        raise CourseError(f"n_resamples is {n_resamples!r}. Valid: at least 1, such as 2000.")


def confusion_matrix(targets, predictions, n_classes: int | None = None) -> np.ndarray:
    """Count pairs: entry ``[i, j]`` is how many pictures of class i were predicted as class j, ``(K, K)`` int.

    K is ``n_classes``, else the number of columns of ``(N, K)`` logits, else one more than the largest class number.
    Raises :class:`CourseError` as :func:`accuracy`, and for a class number outside 0 … K - 1.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    logits = _array(predictions)
    predictions, targets = _classes(logits, targets)
    if n_classes is None:
        n_classes = logits.shape[1] if logits.ndim == 2 else int(max(targets.max(), predictions.max())) + 1
    k = n_classes
    _check_range(np.concatenate([targets, predictions]), k - 1, "class numbers")
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
    ``(N,)`` they may be probabilities themselves, where an expert gave them. ``bins``: at least 1.
    Raises :class:`CourseError` for probabilities outside [0, 1] (logits need a softmax first) and for targets that are
    no class numbers below K, or outside [0, 1] beside ``(N,)``.

    >>> calibration_bins([0.1, 0.9, 0.8], [0, 1, 0], bins=2).accuracy.tolist()
    [0.0, 0.5]
    """
    if bins < 1:
        raise CourseError(f"bins is {bins!r}. Valid: at least 1, such as 15.")
    probabilities, targets = _outcomes(probabilities, targets)
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
    classes, from 0 to 2. Raises as :func:`calibration_bins`.

    >>> brier_score([0.5, 1.0], [1, 1])
    0.125
    >>> brier_score([0.5], [0.5])
    0.0
    """
    probabilities, targets = _outcomes(probabilities, targets)
    if probabilities.ndim == 1:
        return float(((probabilities - targets) ** 2).mean())
    hit = np.eye(probabilities.shape[1])[targets]
    return float(((probabilities - hit) ** 2).sum(axis=1).mean())


def _array(value) -> np.ndarray:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    return np.asarray(value)


def _whole(values: np.ndarray, what: str) -> np.ndarray:
    kind = values.dtype.kind
    if kind in "biu":
        return values.astype(np.int64)
    wrong = values[~(np.isfinite(values) & (values == np.trunc(values)))] if kind == "f" else values.ravel()
    if wrong.size:
        raise CourseError(
            f"{what} hold {wrong[:3].tolist()}. Valid: whole class numbers. A probability becomes one by a threshold, "
            "such as p >= 0.5, a name by its place in the list of classes."
        )
    return values.astype(np.int64)


def _classes(predictions, targets) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers, (N,) each."""
    predictions, targets = _array(predictions), _array(targets)
    _check_shapes(predictions, targets)
    if predictions.ndim == 2:
        if predictions.dtype.kind not in "biuf" or np.isnan(predictions).any():
            raise CourseError("predictions (N, K) hold NaN, or no numbers. Valid: logits or probabilities.")
        predictions = predictions.argmax(axis=1)
    return _whole(predictions, "predictions"), _whole(targets, "targets")


def _correct(predictions, targets) -> np.ndarray:
    return np.equal(*_classes(predictions, targets))


def _share(correct: np.ndarray, confidence: float, seed: int) -> Value:
    low, high = bootstrap_interval(correct, confidence=confidence, seed=seed)
    n, right = len(correct), int(correct.sum())
    if right in (0, n):
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        width = z * z / (n + z * z)
        low, high = (1 - width, 1.0) if right else (0.0, width)
    return Value(float(correct.mean()), low=low, high=high, n=n, unit="fraction")


def _outcomes(probabilities, targets) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and what happened: class numbers (N,) beside (N, K), numbers from 0 to 1 beside (N,)."""
    probabilities, targets = _array(probabilities), _array(targets)
    _check_shapes(probabilities, targets)
    _check_range(probabilities, 1, "probabilities", "; give softmax(logits)")
    if probabilities.ndim == 2:
        targets = _whole(targets, "targets")
        _check_range(targets, probabilities.shape[1] - 1, "targets")
    else:
        _check_range(targets, 1, "targets")
    return probabilities.astype(float), targets


def _check_shapes(predictions: np.ndarray, targets: np.ndarray) -> None:
    if (
        predictions.ndim not in (1, 2)
        or predictions.shape[1:] in ((0,), (1,))
        or targets.shape != predictions.shape[:1]
        or not len(targets)
    ):
        raise CourseError(
            f"predictions have shape {predictions.shape} and targets {targets.shape}. "
            "Valid: (N,) or (N, K) predictions and (N,) targets, N at least 1, K at least 2."
        )


def _check_range(values: np.ndarray, top: int, what: str, advice: str = "") -> None:
    if values.dtype.kind not in "biuf":
        raise CourseError(
            f"{what} hold {values.ravel()[:3].tolist()}. Valid: numbers from 0 to {top}{advice}."
        )
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= top + 1e-6):
        raise CourseError(f"{what} go from {low:.4g} to {high:.4g}. Valid: 0 to {top}{advice}.")


def _parameters(function) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()
