"""Who is this? A gallery of enrolled people, rank one, and "nobody I know"."""

from __future__ import annotations

import numpy as np

from course_utils.errors import CourseError
from course_utils.faces.verify import unit


def templates(embeddings, person, pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Enrol everybody with ``pictures`` pictures: the mean direction of their embeddings.

    ``embeddings``: (N, dim); ``person``: (N,). Returns ``gallery`` (G, dim) of length 1, ``names`` (G,), and ``probes``, the row
    numbers that were not enrolled. Raises :class:`CourseError` when somebody has no picture left to probe with. Lesson 16.

    >>> gallery, names, probes = templates([[1, 0], [1, 0], [0, 1], [0, 1]], [5, 5, 6, 6], pictures=1)
    >>> gallery.tolist(), names.tolist(), len(probes)
    ([[1.0, 0.0], [0.0, 1.0]], [5, 6], 2)
    """
    vectors, person = unit(embeddings), np.asarray(person)
    names, counts = np.unique(person, return_counts=True)
    if not 1 <= pictures < counts.min():
        raise CourseError(
            f"pictures={pictures} to enrol, and {names[counts.argmin()]} has {counts.min()}. Valid: 1 to {counts.min() - 1}."
        )
    order = np.random.default_rng(seed).permutation(len(vectors))
    enrolled = np.concatenate([order[person[order] == name][:pictures] for name in names])
    gallery = unit(vectors[enrolled].reshape(len(names), pictures, -1).mean(1))
    return gallery, names, np.setdiff1d(np.arange(len(vectors)), enrolled)


def rank_one(probes, person, gallery, names) -> float:
    """The share of probes whose nearest template is their own. ``probes``: (N, dim); ``person``: (N,), all of them enrolled.

    >>> rank_one([[0.9, 0.1], [0.6, 0.5]], [5, 6], [[1, 0], [0, 1]], [5, 6])
    0.5
    """
    scores, person, names = _scores(probes, person, gallery, names)
    return float((names[scores.argmax(1)] == person).mean())


def identification_rates(probes, person, gallery, names, threshold: float) -> tuple[float, float, float]:
    """Open-set identification: the nearest template counts if it reaches the threshold, else the answer is "unknown".

    Returns the share of enrolled people's pictures that are named rightly, and named as somebody else; and the share of strangers'
    pictures that are given a name. Strangers are those whose ``person`` is not in ``names``; without any the last is ``nan``.

    >>> identification_rates([[1, 0], [0.7, 0.7]], [5, 9], [[1, 0], [0, 1]], [5, 6], threshold=0.9)
    (1.0, 0.0, 0.0)
    """
    scores, person, names = _scores(probes, person, gallery, names)
    named, known = scores.max(1) >= threshold, np.isin(person, names)
    right = names[scores.argmax(1)] == person
    share = lambda chosen, of: float(chosen[of].mean()) if of.any() else float("nan")  # noqa: E731
    return share(named & right, known), share(named & ~right, known), share(named, ~known)


def _scores(probes, person, gallery, names) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, person, names = unit(probes) @ unit(gallery).T, np.asarray(person), np.asarray(names)
    if (*person.shape, *names.shape) != scores.shape or not scores.size:
        raise CourseError(
            f"persons {person.shape} and names {names.shape} for scores {scores.shape}. Valid: (N,) and (G,) for (N, G), from 1."
        )
    return scores, person, names
