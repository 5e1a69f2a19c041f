"""The reader's own pictures with boxes: COCO JSON, Pascal VOC or YOLO text, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from course_utils import data
from course_utils.data.detection import DetectionSet
from course_utils.data.folders import EXTENSIONS, read_image
from course_utils.detection.formats import Found, coco, voc, yolo
from course_utils.errors import DataError

LAYOUT = (
    "Expected below it: pictures, and beside them a COCO file (*.json with images, annotations, categories), "
    "Pascal VOC files (one *.xml a picture) or YOLO files (one *.txt a picture, and classes.txt or data.yaml)."
)


class Problem(NamedTuple):
    """What is wrong in ``file`` at ``line`` (from 1), and what was done about it."""

    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}: {self.what}"


class OwnBoxes:
    """Pictures with boxes on disk: ``paths``, ``sizes`` (width, height), ``boxes`` (n, 4) in pixels, ``labels``, ``classes``, and
    the ``problems`` found.
    """

    def __init__(
        self, paths, sizes, boxes, labels, classes: Sequence[str], problems: list[Problem], name: str
    ):
        self.paths, self.sizes, self.boxes, self.labels = list(paths), list(sizes), list(boxes), list(labels)
        self.classes, self.problems, self.name = tuple(classes), problems, name

    def __len__(self) -> int:
        return len(self.paths)

    def in_memory(self, size: int) -> DetectionSet:
        """All pictures ``size`` wide and 3·size/4 high: each is scaled to fit, its boxes with it, and filled up in grey."""
        height = size * 3 // 4
        images, boxes = np.full((len(self), height, size, 3), 128, np.uint8), []
        for i, path in enumerate(self.paths):
            picture = Image.fromarray(read_image(path))
            scale = min(size / picture.width, height / picture.height)
            fit = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            images[i, : fit[1], : fit[0]] = np.asarray(picture.resize(fit, Image.Resampling.BILINEAR))
            boxes.append(self.boxes[i] * scale)
        built = DetectionSet(
            torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
            boxes,
            self.labels,
            self.classes,
            [path.stem for path in self.paths],
        )
        built.name, built.split, built.source = self.name, "all", "own pictures"
        data.remember(built.name, built.source)
        return built


def read_boxes(
    path: str | Path, classes: Sequence[str] | None = None, pictures: str | Path | None = None
) -> OwnBoxes:
    """Find pictures and boxes below ``path`` in one of three formats, and check every box.

    ``pictures`` is the folder of the pictures where they are elsewhere.

    A box that leaves its picture is cut at the edge; one without area, of an unknown class or of a picture that is missing or
    damaged is left out. Each such case is a :class:`Problem` with file and line. ``classes`` fixes the names of a Pascal VOC
    set; by default they are those that occur. Raises :class:`DataError` if there is no usable box. Lesson 14.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"DATA_DIR {str(path)!r} is {'a file' if root.exists() else 'not there'}. {LAYOUT}")
    files = [f for f in sorted(Path(pictures or root).rglob("*")) if f.suffix.lower() in EXTENSIONS]
    by_name = {f.name: f for f in reversed(files)}  # of two with one name the first counts
    found = _formats(root, by_name, classes)
    problems = [Problem(*p) for p in found.problems]
    problems += [
        Problem(f, 1, f"a second picture of this name, in {f.parent.name}; left out")
        for f in files
        if by_name[f.name] != f
    ]
    boxes, labels, sizes, listed = {}, {}, {}, {row.name for row in found.pictures}
    for row in found.pictures:
        if size := _size(row, by_name, sizes, problems):
            boxes[row.name], labels[row.name] = [], []
            sizes[row.name] = size
    for row in found.boxes:
        if row.picture not in boxes:
            if row.picture not in listed:
                problems.append(
                    Problem(row.file, row.line, f"its picture {row.picture!r} is not in the list; left out")
                )
            continue
        label = _label(row, found.classes, problems)
        box = _checked(row, sizes[row.picture], problems)
        if label is not None and box is not None:
            boxes[row.picture].append(box)
            labels[row.picture].append(label)
    if not any(boxes.values()):
        told = "; ".join(map(str, problems[:3])) or "no box"
        raise DataError(f"{root} has no usable box: {told}. {LAYOUT}")
    return OwnBoxes(
        [by_name[Path(name).name] for name in boxes],
        [sizes[name] for name in boxes],
        [torch.tensor(own, dtype=torch.float32).reshape(-1, 4) for own in boxes.values()],
        [torch.tensor(own, dtype=torch.int64) for own in labels.values()],
        found.classes,
        sorted(problems, key=lambda p: (p.file.name, p.line)),
        root.resolve().name,
    )


def _formats(root: Path, pictures, classes) -> Found:
    """What the files of the one format that is there say."""
    below = {kind: sorted(root.rglob(f"*.{kind}")) for kind in ("json", "xml", "txt")}
    notes = {"classes.txt", "readme.txt", "license.txt", "train.txt", "val.txt", "test.txt", "trainval.txt"}
    below["txt"] = [f for f in below["txt"] if f.name.lower() not in notes]
    if below["json"]:
        return coco(below["json"])
    if below["xml"]:
        return voc(below["xml"], classes)
    if below["txt"]:
        return yolo(below["txt"], root, pictures)
    raise DataError(f"{root} holds {len(pictures)} pictures and no boxes. {LAYOUT}")


def _size(row, pictures, sizes, problems) -> tuple[int, int] | None:
    """Width and height of a picture as it is read; ``None``, with a problem noted, if it cannot be."""
    file = pictures.get(Path(row.name).name)
    if row.name in sizes:
        problems.append(
            Problem(row.file, row.line, f"the picture {row.name!r} is listed twice; its boxes are joined")
        )
        return None
    if file is None:
        problems.append(
            Problem(row.file, row.line, f"the picture {row.name!r} is missing; left out with its boxes")
        )
        return None
    try:
        return read_image(file).shape[1::-1]
    except DataError as error:
        problems.append(Problem(row.file, row.line, f"{error} Left out with its boxes."))
        return None


def _label(row, classes, problems) -> int | None:
    if row.label in classes:
        return list(classes).index(row.label)
    known = ", ".join(map(str, classes))
    problems.append(Problem(row.file, row.line, f"unknown class {row.label!r}; left out. Known: {known}"))
    return None


def _checked(row, size, problems) -> list[float] | None:
    """The box inside its picture; ``None`` if nothing is left of it. What was wrong is noted."""
    wide, high = size
    scale = np.array([wide, high, wide, high]) if row.relative else 1.0
    box = np.array(row.box, float) * scale
    if not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]:
        problems.append(Problem(row.file, row.line, f"the box {_short(box)} has no area; left out"))
        return None
    inside = box.clip(0, [wide, high, wide, high])
    if np.abs(inside - box).max() > 1:
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            problems.append(
                Problem(row.file, row.line, f"the box {_short(box)} lies outside {wide}×{high}; left out")
            )
            return None
        problems.append(
            Problem(row.file, row.line, f"the box {_short(box)} leaves {wide}×{high}; cut at the edge")
        )
    return inside.tolist()


def _short(box) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in box) + ")"
