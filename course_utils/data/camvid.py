"""CamVid's frames, and the generated drives that stand in for them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.cards import Card
from course_utils.data.segmentation import IGNORE, MaskSet
from course_utils.errors import DataError

ROWS = 360


def camvid(folder: Path, card: Card, split: str, size: int = ROWS) -> MaskSet:
    """Frames from a car, (N, 3, size, size · 4/3), with 11 classes; ``size`` below 360: pictures bilinear, masks nearest."""
    shape = _shape(card, size)
    files = [
        folder / file
        for part in _parts(card, split)
        for file in sorted(card.files)
        if file.split("/")[1] == part
    ]
    images = [_read(file, shape, Image.Resampling.BILINEAR) for file in files]
    twins = [file.parent.with_name(f"{file.parent.name}annot") / file.name for file in files]
    labels = [_read(file, shape, Image.Resampling.NEAREST) for file in twins]
    return _set(np.stack(images).transpose(0, 3, 1, 2), np.stack(labels), card, [file.stem for file in files])


def generated_drives(card: Card, split: str, size: int = ROWS) -> MaskSet:
    """Stand-in for CamVid: as many frames of generated drives, in the same shapes and classes."""
    from course_utils.synthetic.dashcam.stand_in import frames

    shape = _shape(card, size)
    images, labels, names = zip(*[frames(part, shape) for part in _parts(card, split)], strict=True)
    return _set(np.concatenate(images), np.concatenate(labels), card, list(itertools.chain(*names)))


def _parts(card: Card, split: str) -> list[str]:
    return list(card.splits) if split == "all" else [split]


def _shape(card: Card, size: int) -> tuple[int, int]:
    """Rows and columns of a frame; raises :class:`DataError` for more rows than the files have."""
    if not 48 <= size <= ROWS:
        raise DataError(
            f"size={size} of {card.name} is not valid. Valid: 48 to {ROWS} rows; a frame is 4/3 as wide."
        )
    return size, round(size * 4 / 3)


def _read(path: Path, shape: tuple[int, int], resampling: Image.Resampling) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image if image.size == shape[::-1] else image.resize(shape[::-1], resampling))


def _set(images: np.ndarray, labels: np.ndarray, card: Card, names: list[str]) -> MaskSet:
    masks = np.where(labels == len(card.classes), IGNORE, labels).astype(np.uint8)
    return MaskSet(
        torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(masks), card.classes, names
    )
