"""The AT&T faces, and the drawn ones that stand in for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from course_utils.data.cards import Card
from course_utils.errors import DataError

if TYPE_CHECKING:
    from course_utils.data.builders import DataSet

ROWS = 112
PEOPLE, PICTURES = 240, 10  # of the stand-in


def att_faces(folder: Path, card: Card, split: str, size: int = ROWS) -> DataSet:
    """Faces, (N, 1, size, size · 92/112), ten of each person; ``targets`` are people. ``size`` below 112: bilinear, antialiased."""
    shape = _shape(card, size)
    files = [f"{person}/{k}.pgm" for person in card.classes for k in range(1, PICTURES + 1)]
    images = np.stack([_read(folder / file, shape) for file in files])
    return _set(images, np.repeat(np.arange(len(card.classes)), PICTURES), card.classes, {})


def drawn_faces(card: Card, split: str, size: int = ROWS) -> DataSet:
    """Stand-in for the AT&T faces: drawn people in the same shape, more of them.

    ``extra``: ``landmarks`` (N, 5, 2) in pixels, ``tone`` and ``occlusion`` as words, and each condition (N,) float32.
    """
    from course_utils.synthetic.faces import OCCLUSIONS, TONES, faces

    _shape(card, size)
    drawn = faces(range(PEOPLE), PICTURES, height=size)
    extra = drawn.conditions | {
        "landmarks": drawn.landmarks,
        "tone": np.array(TONES)[drawn.tone],
        "occlusion": np.array(OCCLUSIONS)[drawn.conditions["occlusion"]],
    }
    return _set(drawn.images, drawn.person, [f"person {i}" for i in range(PEOPLE)], extra)


def _shape(card: Card, size: int) -> tuple[int, int]:
    """Rows and columns; raises :class:`DataError` for more rows than the files have."""
    if not 32 <= size <= ROWS:
        raise DataError(
            f"size={size} of {card.name} is not valid. Valid: 32 to {ROWS} rows; a picture is 92/112 as wide."
        )
    return size, round(size * 92 / 112)


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(
            image if image.size == shape[::-1] else image.resize(shape[::-1], Image.Resampling.BILINEAR)
        )


def _set(images: np.ndarray, people: np.ndarray, classes, extra: dict) -> DataSet:
    from course_utils.data.builders import DataSet  # which imports this module

    return DataSet(torch.from_numpy(images)[:, None].contiguous(), torch.from_numpy(people), classes, extra)
