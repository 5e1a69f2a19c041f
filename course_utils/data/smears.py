"""Blood smears whose white cells have a kind: the published labels of BCCD's pictures, and generated smears of known patients."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.data.cards import Card
from course_utils.data.cards import card as read_card
from course_utils.data.detection import DetectionSet, bccd
from course_utils.data.fetch import locate
from course_utils.data.rows import chosen_rows
from course_utils.errors import DataError

PATIENTS = 36  # people in the generated set


class SmearSet(DetectionSet):
    """Pictures with boxes, and for each picture the kind of its white cell and the patient.

    ``kinds``: (N,) int64, indices into ``kind_names``; -1 where the picture shows no white cell, several, or the label is not
    one kind. ``patients``: N strings, empty where nobody knows. The rest as in
    :class:`~course_utils.data.detection.DetectionSet`.
    """

    def __init__(self, images, boxes, labels, classes, names=None, kinds=None, patients=None, kind_names=()):
        super().__init__(images, boxes, labels, classes, names)
        self.kinds = torch.full((len(images),), -1) if kinds is None else kinds
        self.patients = np.array([""] * len(images) if patients is None else patients)
        self.kind_names = tuple(kind_names)

    def subset(self, indices) -> SmearSet:
        """The pictures at ``indices`` (integers or a boolean mask of length N)."""
        chosen = chosen_rows(indices, len(self))
        part = super().subset(chosen)
        part.kinds, part.patients, part.kind_names = (
            self.kinds[chosen],
            self.patients[chosen],
            self.kind_names,
        )
        return part

    def white_cells(self, size: int, margin: float = 1.2) -> torch.Tensor:
        """The white cell of every picture whose kind is known, cut out as a square: (M, 3, size, size) uint8.

        The square is ``margin`` times the longer side of the cell's box, around its centre; beyond the picture's edge the
        picture is mirrored. The cells are in the order of ``kinds[kinds >= 0]``. Resizing is bilinear and antialiased.
        """
        white = self.classes.index("WBC")
        cells = [
            _square(self.images[i], self.boxes[i][self.labels[i] == white][0], margin, size)
            for i in torch.nonzero(self.kinds >= 0).ravel().tolist()
        ]
        if not cells:
            raise DataError(f"none of these {len(self)} pictures has a white cell of known kind.")
        return torch.stack(cells)


def white_cells(folder: Path, card: Card, split: str, size: int = 640) -> SmearSet:
    """BCCD's pictures (N, 3, 3·size/4, size) with their boxes, and the kinds from ``labels.csv``.

    A kind is taken where the row names one kind and the picture has one box of a white cell: 341 of 364. The patients are not
    known. Needs the files of ``bccd`` too.
    """
    cells = read_card("bccd")
    data = bccd(locate(cells)[0], cells, split, size)
    kinds = [k.upper() for k in card.classes]
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        said = {
            int(row["Image"]): re.split(r"\s*,\s*", row["Category"].strip()) for row in csv.DictReader(file)
        }
    one_box = data.counts()[:, data.classes.index("WBC")] == 1
    labels = [said[int(name.rpartition("_")[2])] for name in data.names]
    kind = [
        kinds.index(label[0]) if alone and len(label) == 1 and label[0] in kinds else -1
        for label, alone in zip(labels, one_box, strict=True)
    ]
    return SmearSet(
        data.images, data.boxes, data.labels, data.classes, data.names, torch.tensor(kind), None, card.classes
    )


def generated_smears(card: Card, split: str, size: int = 640) -> SmearSet:
    """Stand-in: generated smears, as many as the card has, of patients of whom nobody is in two splits."""
    from course_utils.synthetic.smears import CLASSES, KINDS, patient, smear

    parts = list(card.splits) if split == "all" else [split]
    images, boxes, labels, kinds, names, patients = [], [], [], [], [], []
    for part in parts:
        first = 100 * list(card.splits).index(part)
        people = max(2, round(PATIENTS * card.splits[part] / sum(card.splits.values())))
        for i in range(card.splits[part]):
            person = first + i % people
            field = smear(size, seed=[person, i], who=patient(person))
            white = field.kinds[field.labels == 1]
            images.append(field.image)
            boxes.append(torch.from_numpy(field.boxes))
            labels.append(torch.from_numpy(field.labels))
            kinds.append(int(white[0]) if len(white) == 1 else -1)
            names.append(f"{part}_{i:03d}")
            patients.append(f"person {person}")
    pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return SmearSet(pictures, boxes, labels, CLASSES, names, torch.tensor(kinds), patients, KINDS)


def _square(image: torch.Tensor, box: torch.Tensor, margin: float, size: int) -> torch.Tensor:
    """A square around the box: (3, H, W) uint8 → (3, size, size) uint8."""
    half = max(2, round(margin * float((box[2:] - box[:2]).max()) / 2))
    x, y = ((box[:2] + box[2:]) / 2).round().int().tolist()
    height, width = image.shape[1:]
    rows = _mirrored(torch.arange(y - half, y + half), height)
    columns = _mirrored(torch.arange(x - half, x + half), width)
    cut = image[:, rows[:, None], columns].float()[None]
    cell = F.interpolate(cut, (size, size), mode="bilinear", antialias=True)[0]
    return cell.round().clamp(0, 255).byte()


def _mirrored(index: torch.Tensor, length: int) -> torch.Tensor:
    """Indices that run back at both ends: -1 → 1, length → length - 2."""
    period = 2 * (length - 1)
    index = index.remainder(period)
    return torch.where(index < length, index, period - index)
