"""Pictures with boxes: the dataset class, the blood cells, and the generated scenes that stand in for them."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.cards import Card
from course_utils.data.rows import chosen_rows

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class DetectionSet(torch.utils.data.Dataset):
    """Pictures and their boxes, held in memory.

    ``images``: (N, 3, H, W) uint8. ``boxes``: N tensors (n, 4) float32, x1, y1, x2, y2 in pixels from the upper left
    corner. ``labels``: N tensors (n,) int64, indices into ``classes``. ``names``: N names for messages.
    ``self[i]`` is ``(image, boxes, labels)``.

    >>> data = DetectionSet(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), [torch.tensor([[0.0, 0, 4, 6]]),
    ...                     torch.zeros(0, 4)], [torch.tensor([1]), torch.zeros(0).long()], classes=("a", "b"))
    >>> len(data), data[0][1].tolist(), data.counts().tolist(), len(data.subset([1]).boxes[0])
    (2, [[0.0, 0.0, 4.0, 6.0]], [[0, 1], [0, 0]], 0)
    """

    def __init__(self, images, boxes, labels, classes: Sequence[str], names: Sequence[str] | None = None):
        self.images, self.boxes, self.labels = images, list(boxes), list(labels)
        self.classes = tuple(classes)
        self.names = [str(i) for i in range(len(images))] if names is None else list(names)
        self.name = self.split = self.source = ""
        self.card: Card | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.images[index], self.boxes[index], self.labels[index]

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        found = sum(map(len, self.boxes))
        return (
            f"<{self.name} {self.split}: {len(self):,} pictures {shape}, {found:,} boxes, from {self.source}>"
        )

    def counts(self) -> torch.Tensor:
        """How many boxes of each class each picture has: (N, number of classes) int64."""
        counts = torch.zeros(len(self), len(self.classes), dtype=torch.int64)
        for row, own in zip(counts, self.labels, strict=True):
            row += torch.bincount(own, minlength=len(self.classes))
        return counts

    def subset(self, indices) -> DetectionSet:
        """The pictures at ``indices`` (integers or a boolean mask of length N), as a dataset of the same kind."""
        chosen = chosen_rows(indices, len(self))
        part = type(self)(
            self.images[torch.from_numpy(chosen)],
            [self.boxes[i] for i in chosen],
            [self.labels[i] for i in chosen],
            self.classes,
            [self.names[i] for i in chosen],
        )
        part.name, part.split, part.source, part.card = self.name, self.split, self.source, self.card
        return part


def bccd(folder: Path, card: Card, split: str, size: int = 640) -> DetectionSet:
    """Blood smears, (N, 3, 3·size/4, size), with the boxes of their cells; ``size`` other than 640: bilinear, antialiased.

    Boxes without area are left out. ``names`` are those of the files, without their ending.
    """
    lists = folder / "BCCD" / "ImageSets" / "Main"
    parts = list(card.splits) if split == "all" else [split]
    names = [name for part in parts for name in (lists / f"{part}.txt").read_text().split()]
    height = size * 3 // 4
    images = np.empty((len(names), height, size, 3), np.uint8)

    def read(i: int):
        with Image.open(folder / "BCCD" / "JPEGImages" / f"{names[i]}.jpg") as image:
            scale = np.array([size, height] * 2) / (image.size * 2)
            images[i] = np.asarray(
                image.convert("RGB").resize((size, height), Image.Resampling.BILINEAR)
                if image.size != (size, height)
                else image
            )
        return _voc_boxes(folder / "BCCD" / "Annotations" / f"{names[i]}.xml", card.classes, scale)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter lock
        found = list(pool.map(read, range(len(names)), chunksize=16))
    boxes, labels = zip(*found, strict=True)
    return DetectionSet(_channels_first(images), boxes, labels, card.classes, names)


def digit_scenes(card: Card, split: str, size: int = 640) -> DetectionSet:
    """Stand-in for pictures with boxes: digits on photographs, as many as the card has, (N, 3, 3·size/4, size).

    The scenes of ``train`` and ``val`` are other scenes, made of the same digits and photographs; only ``test`` has its own.
    So a threshold chosen on ``val`` is chosen on things that were trained on.
    """
    from course_utils.synthetic.scenes import CLASSES, digit_scene, ingredients

    parts = list(card.splits) if split == "all" else [split]
    scenes, names = [], []
    for part in parts:
        stock = ingredients("test" if part == "test" else "train")
        for i in range(card.splits[part]):
            scenes.append(digit_scene(stock, size, seed=(list(card.splits).index(part), i)))
            names.append(f"{part}_{i:03d}")
    images = _channels_first(np.stack([scene.image for scene in scenes]))
    boxes = [torch.from_numpy(scene.boxes) for scene in scenes]
    labels = [torch.from_numpy(scene.labels) for scene in scenes]
    return DetectionSet(images, boxes, labels, CLASSES, names)


def _voc_boxes(path: Path, classes: Sequence[str], scale: np.ndarray):
    """Boxes (n, 4) float32 and labels (n,) of one file whose hash is known; boxes without area are left out."""
    boxes, labels = [], []
    for thing in ElementTree.parse(path).getroot().iter("object"):  # noqa: S314 - the file matches its hash
        box = [float(thing.findtext(f"bndbox/{corner}")) for corner in CORNERS]
        if box[2] > box[0] and box[3] > box[1]:
            boxes.append(np.array(box) * scale)
            labels.append(classes.index(thing.findtext("name")))
    return (
        torch.tensor(np.array(boxes).reshape(-1, 4), dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
    )


def _channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
