"""Are these two pictures of one person? Pairs, error rates, thresholds, and intervals over people."""

from __future__ import annotations

import numpy as np

from course_utils.errors import CourseError
from course_utils.metrics import check_interval, percentile_interval


def unit(embeddings) -> np.ndarray:
    """Vectors (N, dim) with length 1, float64. Raises :class:`CourseError` for one that is zero or not finite.

    >>> unit([[3, 4]]).tolist()
    [[0.6, 0.8]]
    """
    values = embeddings.detach().cpu().numpy() if hasattr(embeddings, "detach") else embeddings
    values = np.asarray(values, np.float64)
    length = np.linalg.norm(values, axis=-1, keepdims=True) if values.ndim == 2 else np.zeros(1)
    if not (np.isfinite(length).all() and (length > 0).all()):
        raise CourseError(
            f"embeddings of shape {values.shape}, one of them zero or not finite. Valid: (N, dim), finite, not zero."
        )
    return values / length


def all_pairs(embeddings, person) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scores of all pairs of different pictures, each pair once.

    ``embeddings``: (N, dim), of any length but 0; ``person``: (N,). Returns ``scores`` (P,) float64, the cosine similarity;
    ``genuine`` (P,) bool; ``who`` (P, 2), the persons of both pictures. Raises :class:`CourseError` for shapes that do not fit and
    for an embedding that is zero or not finite. Lesson 16.

    >>> scores, genuine, who = all_pairs([[1, 0], [2, 0], [0, 1]], [7, 7, 8])
    >>> scores.tolist(), genuine.tolist(), who.tolist()
    ([1.0, 0.0, 0.0], [True, False, False], [[7, 7], [7, 8], [7, 8]])
    """
    vectors, person = unit(embeddings), np.asarray(person)
    if person.shape != (len(vectors),) or len(vectors) < 2:
        raise CourseError(
            f"{len(vectors)} embeddings and persons of shape {person.shape}. Valid: (N, dim) and (N,), N from 2."
        )
    i, j = np.triu_indices(len(vectors), 1)
    who = np.stack([person[i], person[j]], 1)
    return (vectors @ vectors.T)[i, j], who[:, 0] == who[:, 1], who


def roc(scores, genuine, weights=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False accept rate, false reject rate and threshold at every step, from "accept nobody" on; each (K,) float64.

    A pair is accepted when its score reaches the threshold. ``weights``: (P,) how often each pair counts, 1 by default. Raises
    :class:`CourseError` unless there are genuine and impostor pairs with a weight.

    >>> far, frr, threshold = roc([0.9, 0.8, 0.3, 0.1], [True, False, True, False])
    >>> far.tolist(), frr.tolist(), threshold.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 0.0, 0.0], [inf, 0.9, 0.8, 0.3, 0.1])
    """
    scores, genuine = _checked(scores, genuine)
    if weights is not None:
        weights = np.asarray(weights, float)
        if weights.shape != genuine.shape or not (weights[genuine].sum() > 0 and weights[~genuine].sum() > 0):
            raise CourseError(
                f"weights of shape {weights.shape}. Valid: {genuine.shape}, some genuine and some impostor pairs above 0."
            )
    return _Sorted(scores, genuine).rates(weights)


def equal_error_rate(scores, genuine, weights=None) -> float:
    """Where as many impostors are accepted as genuine pairs rejected, by straight lines between the steps of the ROC.

    >>> equal_error_rate([0.9, 0.8, 0.3, 0.1], [True, False, True, False])
    0.5
    """
    return _crossing(*roc(scores, genuine, weights)[:2])


def threshold_at(scores, genuine, far: float) -> float:
    """The lowest threshold whose false accept rate on these pairs is at most ``far``; pairs that reach it are accepted.

    Raises :class:`CourseError` for ``far`` outside 0 to 1, and when fewer than ``1 / far`` impostor pairs were given: their rate
    could not be told from 0.

    >>> threshold_at([0.9, 0.8, 0.3, 0.1], [True, False, True, False], far=0.5)
    0.3
    """
    rates, _, threshold = roc(scores, genuine)
    impostors = int((~np.asarray(genuine, bool)).sum())
    if not 1 / impostors <= far <= 1:
        raise CourseError(
            f"far={far!r} with {impostors:,} impostor pairs. Valid: from 1/{impostors}, one of them, to 1."
        )
    return float(threshold[np.flatnonzero(rates <= far)[-1]])


def error_rates(scores, genuine, threshold: float) -> tuple[float, float]:
    """False accept rate and false reject rate at one threshold, each from 0 to 1.

    >>> error_rates([0.9, 0.8, 0.3, 0.1], [True, False, True, False], 0.5)
    (0.5, 0.5)
    """
    scores, genuine = _checked(scores, genuine)
    accepted = scores >= threshold
    return float(accepted[~genuine].mean()), float((~accepted[genuine]).mean())


def error_interval(
    scores, genuine, who, draws: int = 500, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap interval of the equal error rate when *people* are drawn anew, with all their pictures and pairs.

    A person drawn a times counts a times in their genuine pairs, and a·b times in the pairs with somebody drawn b times. Pairs
    share people, so an interval that draws pairs is far too narrow (Bolle, Ratha and Pankanti, 2004). Draws in which nobody has a
    genuine pair are drawn again. Where no pair went wrong the interval is (0, 0), which no sample can show: for n people the
    error may still be as large as 3/n (the rule of three). Raises as :func:`roc`, and for fewer than three people.

    >>> low, high = error_interval(*all_pairs(np.random.default_rng(0).normal(size=(40, 8)), np.arange(40) // 4), draws=50)
    >>> low < 0.5 < high
    True
    """
    check_interval(confidence, draws)
    scores, genuine = _checked(scores, genuine)
    ordered = _Sorted(scores, genuine)
    values = [_crossing(*ordered.rates(weights)[:2]) for weights in _redrawn(genuine, who, draws, seed)]
    return percentile_interval(values, confidence)


def rate_intervals(
    scores, genuine, who, threshold: float, draws: int = 500, confidence: float = 0.95, seed: int = 0
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The bootstrap intervals of false accept rate and false reject rate at one threshold, over people.

    People are drawn anew as in :func:`error_interval`, and it raises as that does. Where all pairs of a kind were right, or all
    wrong, other draws cannot differ; the interval is then that of independent trials (Clopper and Pearson, 1934), one for each
    person with a genuine pair, or for two people each in the false accept rate. Lesson 16.

    >>> far, frr = rate_intervals(*all_pairs(np.random.default_rng(0).normal(size=(40, 8)), np.arange(40) // 4), 0.0, draws=50)
    >>> far[0] < 0.5 < far[1], frr[0] < 0.5 < frr[1]
    (True, True)
    """
    check_interval(confidence, draws)
    scores, genuine = _checked(scores, genuine)
    wrong = (scores >= threshold) != genuine
    values = [
        [np.average(wrong[kind], weights=weights[kind]) for kind in (~genuine, genuine)]
        for weights in _redrawn(genuine, who, draws, seed)
    ]
    trials = len(np.unique(np.asarray(who))) // 2, len(np.unique(np.asarray(who)[genuine]))
    far, frr = (
        _interval(wrong[kind], rates, n, confidence)
        for kind, rates, n in zip((~genuine, genuine), np.transpose(values), trials, strict=True)
    )
    return far, frr


def _interval(wrong, rates, trials: int, confidence: float) -> tuple[float, float]:
    reach = 1 - ((1 - confidence) / 2) ** (1 / trials)
    if not wrong.any():
        return 0.0, reach
    return (1 - reach, 1.0) if wrong.all() else percentile_interval(rates, confidence)


def _redrawn(genuine, who, draws, seed):
    """How often each pair counts, (P,), in each of ``draws`` samples of people."""
    names, rows = np.unique(np.asarray(who), return_inverse=True)
    a, b = rows.reshape(-1, 2).T
    if len(names) < 3:
        raise CourseError(f"an interval over {len(names)} people says nothing. Give at least three.")
    random, given = np.random.default_rng(seed), 0
    while given < draws:
        times = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names)).astype(float)
        weights = np.where(genuine, times[a], times[a] * times[b])
        if weights[genuine].any() and weights[~genuine].any():
            given += 1
            yield weights


class _Sorted:
    """Pairs in falling order of their scores, sorted once for many weightings."""

    def __init__(self, scores: np.ndarray, genuine: np.ndarray):
        self.order = np.argsort(-scores, kind="stable")
        self.genuine, values = genuine[self.order], scores[self.order]
        self.last = np.flatnonzero(np.append(values[1:] != values[:-1], True))  # of each run of equal scores
        self.threshold = np.concatenate([[np.inf], values[self.last]])

    def rates(self, weights: np.ndarray | None):
        weights = np.ones(len(self.order)) if weights is None else weights[self.order]
        accepted = np.stack([np.cumsum(weights * ~self.genuine), np.cumsum(weights * self.genuine)])
        impostor, genuine = accepted[:, self.last] / accepted[:, -1:]
        return np.append(0.0, impostor), np.append(1.0, 1 - genuine), self.threshold


def _crossing(far: np.ndarray, frr: np.ndarray) -> float:
    k = int(np.argmax(far >= frr))  # it starts at 0 and 1, so k is at least 1
    gap, before = far[k] - frr[k], frr[k - 1] - far[k - 1]
    share = before / (before + gap)
    return float(far[k - 1] + share * (far[k] - far[k - 1]))


def _checked(scores, genuine) -> tuple[np.ndarray, np.ndarray]:
    scores, genuine = np.asarray(scores, float), np.asarray(genuine, bool)
    if (
        scores.ndim != 1
        or scores.shape != genuine.shape
        or genuine.all()
        or not genuine.any()
        or np.isnan(scores).any()
    ):
        raise CourseError(
            f"{scores.size:,} scores, {int(genuine.sum()):,} of {genuine.size:,} pairs genuine. Valid: (P,) numbers and (P,) "
            "True or False, with genuine and impostor pairs: two people or more, one of them with two pictures."
        )
    return scores, genuine
