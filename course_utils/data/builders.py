"""Turn verified files into datasets: one function for each card, and one for each stand-in."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.camvid import camvid, generated_drives
from course_utils.data.cards import Card
from course_utils.data.cards import card as read_card
from course_utils.data.detection import bccd, digit_scenes
from course_utils.data.faces import att_faces, drawn_faces
from course_utils.data.fetch import package_folder
from course_utils.data.rows import chosen_rows
from course_utils.data.segmentation import generated_sections, isbi_em
from course_utils.data.smears import generated_smears, white_cells
from course_utils.errors import DataError

DIGITS_TEST_FRACTION = 0.25


class DataSet(torch.utils.data.Dataset):
    """Images and targets held in memory.

    ``images``: (N, C, H, W) uint8; ``targets``: (N,) int64; ``extra``: arrays with one row for each image.
    ``self[i]`` is ``(image, target)``: a (C, H, W) uint8 tensor and an int.

    >>> data = DataSet(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 1]), classes=("a", "b"))
    >>> len(data), data[2][0].shape, data[2][1], len(data.subset([0, 2]))
    (3, torch.Size([1, 8, 8]), 1, 2)
    """

    def __init__(self, images, targets, classes: Sequence[str], extra: dict | None = None):
        self.images, self.targets, self.classes, self.extra = images, targets, tuple(classes), extra or {}
        self.name = self.split = self.source = ""
        self.card: Card | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.images[index], int(self.targets[index])

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        return f"<{self.name} {self.split}: {len(self):,} images {shape}, {len(self.classes)} classes, from {self.source}>"

    def subset(self, indices) -> DataSet:
        """The images at ``indices`` (integers or a boolean mask of length N), as a dataset of the same kind."""
        chosen = chosen_rows(indices, len(self))
        part = type(self)(
            self.images[chosen],
            self.targets[chosen],
            self.classes,
            {key: values[chosen] for key, values in self.extra.items()},
        )
        part.name, part.split, part.source, part.card = self.name, self.split, self.source, self.card
        return part


class Photographs:
    """Single photographs by name: ``self["coffee"]`` is a fresh (H, W, 3) or, if grey, (H, W) uint8 array."""

    def __init__(self, folder: Path, files: Sequence[str]):
        self._paths = {Path(file).stem.removesuffix("_motion"): folder / file for file in files}
        self.names = tuple(sorted(self._paths))
        self.name, self.split, self.source, self.card = "photographs", "all", "", None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self):
        return iter(self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._paths:
            raise DataError(f"unknown photograph {name!r}. Valid: {', '.join(self.names)}.")
        with Image.open(self._paths[name]) as image:
            return np.array(image)

    def __repr__(self) -> str:
        return f"<photographs: {', '.join(self.names)}>"


def digits(folder: Path, card: Card, split: str, size: int = 8) -> DataSet:
    """Handwritten digits, (N, 1, size, size), scaled from 0–16 to 0–255; ``size`` other than 8: bilinear."""
    with gzip.open(folder / "digits.csv.gz", "rt") as stream:
        table = np.loadtxt(stream, delimiter=",", dtype=np.float32)
    pixels = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    targets = table[:, -1].astype(np.int64)
    if split != "all":
        in_test = _stratified(targets, DIGITS_TEST_FRACTION)
        keep = in_test if split == "test" else ~in_test
        pixels, targets = pixels[keep], targets[keep]
    if size != 8:
        pixels = np.stack([_resized(Image.fromarray(image), size) for image in pixels])
    return DataSet(torch.from_numpy(pixels)[:, None], torch.from_numpy(targets), card.classes)


def elpv(folder: Path, card: Card, split: str, size: int = 300) -> DataSet:
    """Solar cells, (N, 1, size, size); ``size`` other than 300: bilinear, antialiased.

    ``targets`` is 1 (defective) where the defect probability is at least 0.5. ``extra`` holds ``probability``
    (N,) float64 and ``module_type`` (N,) str: ``mono`` or ``poly``.
    """
    with open(folder / "labels.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter=" ", skipinitialspace=True))
    probability = np.array([float(row[1]) for row in rows])
    images = np.empty((len(rows), 1, size, size), np.uint8)

    def read(i: int) -> None:
        with Image.open(folder / rows[i][0]) as image:
            images[i, 0] = _resized(image, size)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter lock
        list(pool.map(read, range(len(rows)), chunksize=64))
    targets = torch.from_numpy((probability >= 0.5).astype(np.int64))
    extra = {"probability": probability, "module_type": np.array([row[2] for row in rows])}
    return DataSet(torch.from_numpy(images), targets, card.classes, extra)


def fashion_mnist(folder: Path, card: Card, split: str) -> DataSet:
    """Articles of clothing, (N, 1, 28, 28)."""
    parts = {"train": ["train"], "test": ["t10k"], "all": ["train", "t10k"]}[split]
    images = np.concatenate([_idx(folder / f"{part}-images-idx3-ubyte") for part in parts])
    targets = np.concatenate([_idx(folder / f"{part}-labels-idx1-ubyte") for part in parts])
    return DataSet(
        torch.from_numpy(images)[:, None], torch.from_numpy(targets.astype(np.int64)), card.classes
    )


def photographs(folder: Path, card: Card, split: str) -> Photographs:
    """The pictures that scikit-image ships with its wheel."""
    return Photographs(folder, list(card.files))


def digits_28(card: Card, split: str) -> DataSet:
    """Stand-in for 28×28 grey images in 10 classes: the digits, enlarged."""
    real = read_card("digits")
    return digits(package_folder(real), real, split, size=28)


BUILDERS = {
    "att_faces": att_faces,
    "bccd": bccd,
    "camvid": camvid,
    "digits": digits,
    "elpv": elpv,
    "fashion_mnist": fashion_mnist,
    "isbi_em": isbi_em,
    "photographs": photographs,
    "white_cells": white_cells,
}
STAND_INS = {
    "att_faces": drawn_faces,
    "bccd": digit_scenes,
    "camvid": generated_drives,
    "fashion_mnist": digits_28,
    "isbi_em": generated_sections,
    "white_cells": generated_smears,
}


def _resized(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(
        image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR)
    )


def _stratified(targets: np.ndarray, fraction: float) -> np.ndarray:
    """A mask with ``fraction`` of each class, drawn with seed 0."""
    random, mask = np.random.default_rng(0), np.zeros(len(targets), bool)
    for label in np.unique(targets):
        indices = np.flatnonzero(targets == label)
        mask[random.permutation(indices)[: round(len(indices) * fraction)]] = True
    return mask


def _idx(path: Path) -> np.ndarray:
    """An array in the IDX format: two zero bytes, type 8 (uint8), the number of axes, their lengths, the values."""
    data = path.read_bytes()
    axes = data[3]
    shape = np.frombuffer(data, ">i4", axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()
