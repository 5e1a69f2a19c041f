"""Divide people, not pictures, and draw batches that hold several pictures of each person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from course_utils.errors import CourseError


def identity_folds(person, folds: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide rows so that nobody is on both sides: ``folds`` pairs of (training rows, test rows).

    ``person``: (N,) whose picture each row is. Everybody is tested in exactly one fold; the folds differ by at most one
    person. Raises :class:`CourseError` when there are fewer people than folds, or fewer than two folds. Lesson 16.

    >>> train, test = identity_folds([0, 0, 1, 1, 2, 2, 3, 3], folds=2)[0]
    >>> len(train), len(test), set(train) & set(test)
    (4, 4, set())
    """
    person = np.asarray(person)
    names = np.unique(person)
    if folds < 2 or len(names) < folds:
        raise CourseError(
            f"folds={folds} for {len(names)} people is not valid. Valid: 2 to {len(names)} folds."
        )
    parts = np.array_split(np.random.default_rng(seed).permutation(names), folds)
    inside = [np.isin(person, part) for part in parts]
    return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in inside]


def by_person(person, people: int, pictures: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Batches for a loss that compares pictures: rows of ``people`` people with ``pictures`` pictures each, without end.

    Each round shuffles the people and their pictures; people with fewer pictures have some drawn twice. Raises
    :class:`CourseError` when there are fewer people than a batch needs. Hermans et al., 2017.

    >>> rows = next(by_person([0, 0, 0, 1, 1, 1, 2, 2, 2], people=2, pictures=3))
    >>> sorted(np.bincount(np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])[rows], minlength=3).tolist())
    [0, 3, 3]
    """
    person = np.asarray(person)
    rows = [np.flatnonzero(person == name) for name in np.unique(person)]
    if not 1 <= people <= len(rows):
        raise CourseError(
            f"a batch of {people} people was asked for. Valid: 1 to {len(rows)}, as many as there are."
        )
    random = np.random.default_rng(seed)
    return _batches(rows, people, pictures, random)


def _batches(rows, people, pictures, random):
    while True:
        order = random.permutation(len(rows))
        for start in range(0, len(rows) - people + 1, people):
            chosen = [rows[i] for i in order[start : start + people]]
            yield np.concatenate([random.choice(r, pictures, replace=len(r) < pictures) for r in chosen])
