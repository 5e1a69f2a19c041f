"""Which video does a frame come from? Splits that keep a video's frames on one side."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from course_utils.errors import CourseError

GAP = 0.1  # share of a lone video's frames that are left out between its two parts


def sequence(name: str) -> str:
    """The video that a frame's name tells: what stands before its last number.

    What Roboflow and Cityscapes write behind that number does not count.

    >>> sequence("Seq05VD_f02370"), sequence("0016E5_07959"), sequence("drive100_0"), sequence("0042")
    ('Seq05VD', '0016E5', 'drive100', '')
    >>> sequence("drive_0001_jpg.rf.0c4f9e2a"), sequence("aachen_000000_000019_leftImg8bit")
    ('drive', 'aachen_000000')
    """
    return re.sub(r"[-_ ]*(?:frame|(?<![a-z])f)?[-_ ]?\d+$", "", _plain(name), flags=re.IGNORECASE)


def split_sequences(
    names: Sequence[str], held_out: float = 0.25, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and held-out frames of ``names``: whole videos on one side, about a share ``held_out`` of the frames.

    Of a hundred random choices of videos the one counts whose frames come nearest to that share. Where all frames are of one
    video, its last part is held out, and a tenth of the frames before it are in neither part: neighbours are near-copies
    (see datasets/camvid.md). Raises :class:`CourseError` for a share that is not between 0 and 1.

    >>> [part.tolist() for part in split_sequences(["a_1", "a_2", "b_1", "a_3"], held_out=0.25)]
    [[0, 1, 3], [2]]
    >>> [part.tolist() for part in split_sequences([f"x_{i}" for i in range(10)], held_out=0.3)]
    [[0, 1, 2, 3, 4, 5], [7, 8, 9]]
    """
    if not 0 < held_out < 1:
        raise CourseError(
            f"held_out={held_out!r} is not valid. Valid: a share between 0 and 1, such as 0.25."
        )
    kinds, video, sizes = np.unique(
        [sequence(name) for name in names], return_inverse=True, return_counts=True
    )
    if len(kinds) < 2:
        order = np.array(sorted(range(len(names)), key=lambda i: _number(names[i])), dtype=int)
        first = len(names) - max(1, round(held_out * len(names)))
        return np.sort(order[: max(0, first - int(GAP * len(names)))]), np.sort(order[first:])
    random, best, chosen = np.random.default_rng(seed), np.inf, None
    for _ in range(100):
        order = random.permutation(len(kinds))
        off = np.abs(np.cumsum(sizes[order])[:-1] - held_out * len(names))
        if off.min() < best:
            best, chosen = off.min(), order[: off.argmin() + 1]
    test = np.isin(video, chosen)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _number(name: str) -> int:
    return int(re.search(r"(\d*)$", _plain(name)).group() or 0)


def _plain(name: str) -> str:
    """The name without what an export adds: ``a_1_jpg.rf.<hash>`` is Roboflow's, ``a_1_leftImg8bit`` that of Cityscapes."""
    name = re.sub(r"(?<=\d{9})\.(?=\d+$)", "", name)  # 1714557710.123456: one number, the time
    return re.sub(r"((?:[_.-](?:jpe?g|png|bmp|webp))*\.rf\.\w+|_leftImg8bit)$", "", name, flags=re.IGNORECASE)
