"""Pictures with a class for each pixel: the dataset class, the electron-microscope stack, and its generated stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.cards import Card
from course_utils.data.rows import chosen_rows
from course_utils.errors import DataError
from course_utils.synthetic.membranes import SECTION, sections

IGNORE = 255  # the class number of pixels that no loss and no score may count


class MaskSet(torch.utils.data.Dataset):
    """Pictures and their masks, held in memory.

    ``images``: (N, C, H, W) uint8. ``masks``: (N, H, W) uint8 class numbers, indices into ``classes``; 255 is to be
    ignored. ``names``: N names for messages. ``self[i]`` is ``(image, mask)``. ``targets`` is another name of ``masks``, so
    that a :class:`~course_utils.loaders.TensorLoader` takes the set as it is.

    >>> data = MaskSet(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([[[0, 1], [1, 255]]] * 2), ("a", "b"))
    >>> len(data), data[0][1].tolist(), data.counts().tolist()
    (2, [[0, 1], [1, 255]], [[1, 2], [1, 2]])
    """

    def __init__(self, images, masks, classes: Sequence[str], names: Sequence[str] | None = None):
        self.images, self.masks, self.classes = images, masks, tuple(classes)
        self.names = [str(i) for i in range(len(images))] if names is None else list(names)
        self.name = self.split = self.source = ""
        self.card: Card | None = None

    @property
    def targets(self) -> torch.Tensor:
        """The masks."""
        return self.masks

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[index], self.masks[index]

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        return f"<{self.name} {self.split}: {len(self):,} pictures {shape} with masks, {len(self.classes)} classes, from {self.source}>"

    def counts(self) -> torch.Tensor:
        """How many pixels of each class each picture has: (N, number of classes) int64; ignored ones do not count."""
        return torch.stack([(self.masks == k).sum((1, 2)) for k in range(len(self.classes))], dim=1)

    def subset(self, indices) -> MaskSet:
        """The pictures at ``indices`` (integers or a boolean mask of length N), as a dataset of the same kind."""
        chosen = chosen_rows(indices, len(self))
        part = type(self)(
            self.images[chosen], self.masks[chosen], self.classes, [self.names[i] for i in chosen]
        )
        part.name, part.split, part.source, part.card = self.name, self.split, self.source, self.card
        return part


def isbi_em(folder: Path, card: Card, split: str, size: int = SECTION) -> MaskSet:
    """Sections of nerve tissue, (N, 1, size, size), in the order of the stack; class 1 is membrane.

    ``size`` below 512 is a window in the middle at the same scale: membranes are a few pixels wide, and resizing would
    take them away.
    """
    rows = _rows(card, split, size)
    pictures = [_middle(folder / "train" / "image" / f"{i}.png", size) for i in rows]
    labels = [_middle(folder / "train" / "label" / f"{i}.png", size) for i in rows]
    return _stack(np.stack(pictures), np.stack(labels) < 128, card, rows)


def generated_sections(card: Card, split: str, size: int = SECTION) -> MaskSet:
    """Stand-in for the stack: generated cells with touching membranes, as many sections, the same scale and classes."""
    rows = _rows(card, split, size)
    images, masks = _generated(size)
    return _stack(images[rows], masks[rows], card, rows)


@lru_cache(maxsize=2)
def _generated(size: int):
    return sections(0, 30, size)[:2]


def _rows(card: Card, split: str, size: int) -> list[int]:
    """The numbers of a split's sections; raises :class:`DataError` for a window larger than a section."""
    if size > SECTION:
        raise DataError(f"size={size} of {card.name} is not valid. Valid: a window of 4 to {SECTION} pixels.")
    train, test = card.splits["train"], card.splits["test"]
    return list(
        {"train": range(train), "test": range(train, train + test), "all": range(train + test)}[split]
    )


def _middle(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as image:
        pixels = np.asarray(image)
    start = (SECTION - size) // 2
    return pixels[start : start + size, start : start + size]


def _stack(images, masks, card, rows) -> MaskSet:
    images, masks = torch.from_numpy(images)[:, None].contiguous(), torch.from_numpy(masks.astype(np.uint8))
    return MaskSet(images, masks, card.classes, [f"section {i}" for i in rows])
