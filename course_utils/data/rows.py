"""Which rows of a dataset are meant: one rule for the ``subset`` of every kind of dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST = {"train": 6, "val": 2, "test": 2}  # pictures in each part of a data set


def chosen_rows(indices, count: int) -> np.ndarray:
    """The row numbers that ``indices``, integers or a boolean mask of length ``count``, mean: (M,) int64 from 0 to count - 1.

    Raises ``IndexError`` for a number outside ``-count`` to ``count - 1`` and for a mask of another length.

    >>> [chosen_rows(indices, 3).tolist() for indices in ([2, -1], [True, False, True], [])]
    [[2, 2], [0, 2], []]
    """
    indices = np.asarray(indices)
    return np.arange(count)[indices if indices.size else slice(0)]  # an empty list is one of floats to NumPy


def split_rows(splits: Sequence[str], seed: int = 0) -> dict[str, np.ndarray]:
    """Rows of ``train``, ``val`` and ``test`` for the split of each picture, an empty text where it has none.

    What has no split is ``train`` where nothing is called so, and in no part where something is. A part that is not given is
    drawn, a fifth of ``train`` each. Where all have a split and none is ``train``, as below one folder called test, none counts.

    >>> {part: len(rows) for part, rows in split_rows(["train"] * 10 + ["test"] * 3).items()}
    {'train': 8, 'val': 2, 'test': 3}
    """
    given = list(splits)
    if "train" not in given:
        given = ["train" if not split or "" not in given else split for split in given]
    rows = {part: np.array([i for i, split in enumerate(given) if split == part], int) for part in FEWEST}
    drawn = np.random.default_rng(seed).permutation(rows["train"])
    fifth = round(0.2 * len(drawn))
    for part in ("val", "test"):
        if not rows[part].size:
            rows[part], drawn = drawn[:fifth], drawn[fifth:]
    return rows | {"train": drawn}


def too_few(rows: dict[str, np.ndarray]) -> str:
    """What is told of parts with too few pictures: how many each has, and needs; an empty text where they have enough.

    >>> too_few(split_rows(["train"] * 6 + ["val"]))
    '5 train, 1 val, 1 test. At least 6, 2, 2 are needed; some hundred are a start.'
    """
    if all(len(rows[part]) >= fewest for part, fewest in FEWEST.items()):
        return ""
    there = ", ".join(f"{len(rows[part])} {part}" for part in FEWEST)
    return f"{there}. At least {', '.join(map(str, FEWEST.values()))} are needed; some hundred are a start."
