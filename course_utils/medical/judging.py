"""The numbers of a diagnostic test, and of one method of measurement against another. Lesson 17."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from course_utils.errors import CourseError
from course_utils.metrics import check_interval, percentile_interval


class Agreement(NamedTuple):
    """``bias``: mean of the differences; ``low`` and ``high``: the limits between which 95 of 100 differences are expected."""

    bias: float
    low: float
    high: float


def auroc(targets, scores) -> float:
    """The chance that a random positive scores higher than a random negative, a tie counting one half; 0 to 1.

    ``targets`` (N,): 1 or true for positive; ``scores`` (N,): any numbers that rise with the suspicion. Raises
    :class:`CourseError` where one class is missing, and for a NaN. Hanley and McNeil, 1982; equal to scikit-learn's ``roc_auc_score``.

    >>> auroc([0, 1], [0.5, 0.5]), auroc([0, 0, 1], [0.2, 0.1, 0.3])
    (0.5, 1.0)
    """
    from scipy.stats import rankdata

    targets, scores = _pair(targets, scores)
    positive = int(targets.sum())
    negative = len(targets) - positive
    if not positive or not negative:
        raise CourseError(
            f"auroc() got {positive} positives and {negative} negatives. It needs at least one of each."
        )
    ranks = rankdata(scores)[targets].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def sensitivity_specificity(targets, decisions) -> tuple[float, float]:
    """The share of positives that are called positive, and of negatives that are called negative; NaN without any.

    ``targets`` and ``decisions`` (N,): 0 and 1, or false and true. Raises :class:`CourseError` for other values: a score becomes a
    decision by a threshold.

    >>> sensitivity_specificity([1, 1, 0, 0], [True, False, False, False])
    (0.5, 1.0)
    """
    targets, decisions = _pair(targets, decisions)
    if not np.isin(decisions, (0, 1)).all():
        raise CourseError(
            f"decisions hold {np.unique(decisions)[:5].tolist()}. Valid: 0 and 1; for scores give scores >= threshold."
        )
    decisions = decisions.astype(bool)
    with np.errstate(invalid="ignore"):
        return (
            float(np.divide((targets & decisions).sum(), targets.sum())),
            float(np.divide((~targets & ~decisions).sum(), (~targets).sum())),
        )


def threshold_for_specificity(targets, scores, specificity: float) -> float:
    """The lowest threshold at which at least this share of the negatives scores below it. Positive means ``score >= threshold``.

    Choose it on cases that will not be used to judge it, with scores of the same dtype: the threshold is the next number of that
    dtype above a negative's score. Raises :class:`CourseError` for a share outside (0, 1], and for a NaN.

    >>> float(threshold_for_specificity([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9, 0.8], 0.75)) > 0.3
    True
    """
    targets, scores = _pair(targets, scores)
    if not 0 < specificity <= 1:
        raise CourseError(f"specificity is {specificity!r}. Valid: above 0, up to 1, such as 0.95.")
    kind = scores.dtype if scores.dtype.kind == "f" else np.dtype(float)
    negatives = np.sort(scores[~targets].astype(kind))
    if not len(negatives):
        raise CourseError(
            "there is no negative case, so no threshold can be chosen. Give cases of both classes."
        )
    wanted = max(int(np.ceil(specificity * len(negatives) - 1e-9)), 1)
    return float(np.nextafter(negatives[wanted - 1], kind.type(np.inf)))


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """How often a positive and a negative answer are right where ``prevalence`` of the cases are positive (Bayes' rule).

    >>> ppv, npv = predictive_values(0.9, 0.95, 0.01)
    >>> round(ppv, 3), round(npv, 4)
    (0.154, 0.9989)
    """
    for name, value in (
        ("sensitivity", sensitivity),
        ("specificity", specificity),
        ("prevalence", prevalence),
    ):
        if not 0 <= value <= 1:
            raise CourseError(f"{name} is {value!r}. Valid: a share from 0 to 1.")
    called, cleared = (
        sensitivity * prevalence + (1 - specificity) * (1 - prevalence),
        specificity * (1 - prevalence) + (1 - sensitivity) * prevalence,
    )
    right = sensitivity * prevalence, specificity * (1 - prevalence)
    return (right[0] / called if called else float("nan"), right[1] / cleared if cleared else float("nan"))


def group_interval(
    groups, statistic: Callable, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap interval of a statistic when whole groups are drawn: patients, not their pictures.

    ``groups`` (N,): the group of each row. ``statistic(rows)`` takes row numbers, with repetitions, and gives a number; draws
    for which it is NaN or raises :class:`CourseError` (a class is missing) are left out. Raises :class:`CourseError` for fewer
    than two groups, or where each draw raises; both ends are NaN where each draw gives NaN. Field and Welsh, 2007.

    >>> values = np.array([0.0, 0.0, 1.0, 1.0])
    >>> group_interval(["a", "a", "b", "b"], lambda rows: values[rows].mean())
    (0.0, 1.0)
    """
    check_interval(confidence, n_resamples)
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise CourseError(f"group_interval() got {len(names)} group. Give the rows of at least two.")
    rows_of = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    rng, results = np.random.default_rng(seed), []
    for _ in range(n_resamples):
        rows = np.concatenate([rows_of[k] for k in rng.integers(0, len(names), len(names))])
        try:
            results.append(float(statistic(rows)))
        except CourseError:
            continue
    if not results:
        raise CourseError("no draw of groups gave a number. Every class needs cases in several groups.")
    finite = np.array(results)[np.isfinite(results)]
    return percentile_interval(finite, confidence) if len(finite) else (float("nan"), float("nan"))


def agreement(measured, reference) -> Agreement:
    """Bias and limits of agreement of ``measured`` (N,) against ``reference`` (N,), in their unit (Bland and Altman, 1986).

    >>> bias, low, high = agreement([11, 12, 13], [10, 12, 12])
    >>> round(bias, 3), round(low, 3), round(high, 3)
    (0.667, -0.465, 1.798)
    """
    measured, reference = np.asarray(measured, float), np.asarray(reference, float)
    if measured.shape != reference.shape or measured.ndim != 1 or len(measured) < 2:
        raise CourseError(
            f"agreement() got shapes {measured.shape} and {reference.shape}. Valid: (N,) twice, N at least 2."
        )
    difference = measured - reference
    half = 1.96 * difference.std(ddof=1)
    return Agreement(
        float(difference.mean()), float(difference.mean() - half), float(difference.mean() + half)
    )


def _pair(targets, values) -> tuple[np.ndarray, np.ndarray]:
    targets, values = np.asarray(targets), np.asarray(values)
    if targets.ndim != 1 or targets.shape != values.shape or not len(targets):
        raise CourseError(
            f"targets have shape {targets.shape} and scores {values.shape}. Valid: (N,) twice, N at least 1."
        )
    if not np.isin(targets, (0, 1)).all():
        raise CourseError(f"targets hold {np.unique(targets)[:5].tolist()}. Valid: 0 and 1.")
    if values.dtype.kind not in "biuf" or np.isnan(values).any():
        raise CourseError(
            f"scores of dtype {values.dtype} hold NaN, or no numbers. Leave those cases out, or repair the model."
        )
    return targets.astype(bool), values
