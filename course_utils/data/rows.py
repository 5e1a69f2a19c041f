"""Which rows of a dataset are meant: one rule for the ``subset`` of every kind of dataset."""

from __future__ import annotations

import numpy as np


def chosen_rows(indices, count: int) -> np.ndarray:
    """The row numbers that ``indices``, integers or a boolean mask of length ``count``, mean: (M,) int64 from 0 to count - 1.

    Raises ``IndexError`` for a number outside ``-count`` to ``count - 1`` and for a mask of another length.

    >>> [chosen_rows(indices, 3).tolist() for indices in ([2, -1], [True, False, True], [])]
    [[2, 2], [0, 2], []]
    """
    indices = np.asarray(indices)
    return np.arange(count)[indices if indices.size else slice(0)]  # an empty list is one of floats to NumPy
