"""The reader's own pictures with boxes: COCO JSON, Pascal VOC or YOLO text, checked before anything is trained."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from course_utils import data
from course_utils.data.detection import DetectionSet
from course_utils.data.folders import read_image
from course_utils.data.rows import split_rows, too_few
from course_utils.detection.formats import Found, coco, voc, yolo
from course_utils.errors import DataError
from course_utils.inspection import voc as voc_files
from course_utils.inspection import yolo as yolo_files
from course_utils.inspection.folder import Folder, is_split, scan, split_of
from course_utils.inspection.sources import Faults

LAYOUT = (
    "Expected below it: pictures, and beside them a COCO file (*.json with images, annotations, categories), "
    "Pascal VOC files (one *.xml a picture) or YOLO files (one *.txt a picture, and classes.txt or data.yaml)."
)
LISTS = ("classes.txt", "obj.names", "data.yaml", "data.yml", "dataset.yaml")  # name YOLO's classes
NOTES = ("labels.txt", "license.txt", "train.txt", "val.txt", "test.txt", "trainval.txt")


class Problem(NamedTuple):
    """What is wrong in ``file`` at ``line`` (from 1), and what was done about it."""

    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}: {self.what}"


class OwnBoxes:
    """Pictures with boxes on disk: ``paths``, ``sizes`` (width, height), ``splits``, ``boxes`` (n, 4) in pixels, ``labels``,
    ``classes``, and the ``problems`` found. A split is ``train``, ``val``, ``test``, or an empty text where none is given.
    """

    def __init__(
        self, paths, sizes, splits, boxes, labels, classes: Sequence[str], problems: list[Problem], name: str
    ):
        self.paths, self.sizes, self.splits = list(paths), list(sizes), list(splits)
        self.boxes, self.labels = list(boxes), list(labels)
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

    def parts(self, size: int, seed: int) -> tuple[DetectionSet, DetectionSet, DetectionSet]:
        """``train``, ``val`` and ``test``, each as :meth:`in_memory` gives it, by the splits that are given.

        A part that is not given is drawn, a fifth of ``train`` each. What has no split is ``train`` where nothing else is called
        so, and left out where something is. Raises :class:`DataError` if fewer than 6 pictures train, or 2 are in another part.
        """
        rows = split_rows(self.splits, seed)
        if told := too_few(rows):
            raise DataError(f"{len(self)} pictures make {told}")
        every = self.in_memory(size)
        found = tuple(every.subset(rows[part]) for part in rows)
        for part, name in zip(found, rows, strict=True):
            part.split = name
        return found


def read_boxes(
    path: str | Path, classes: Sequence[str] | None = None, pictures: str | Path | None = None
) -> OwnBoxes:
    """Find pictures and boxes below ``path`` in one of three formats, and check every box.

    ``pictures`` is the folder of the pictures where they are elsewhere. A picture is sought beside its entry, from the
    folder's root, and by the end of its path; where several fit, the nearest counts, or none.

    A box that leaves its picture is cut at the edge; one without area, of an unknown class or of a picture that is missing or
    damaged is left out, and so are COCO's crowds and what Pascal VOC marks as difficult. A picture below ``path`` that no file
    names is left out too: one that shows nothing needs an empty entry. Each such case is a :class:`Problem` with file and line.
    Hidden files are skipped. A split is the one that ``course inspect`` tells: by folders, by the name of a COCO file, by
    Pascal VOC's lists, by lists of paths. ``classes`` fixes the names of a Pascal VOC set; by default they are those that occur.
    Raises :class:`DataError` if there is no usable box. Lesson 14.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"DATA_DIR {str(path)!r} is {'a file' if root.exists() else 'not there'}. {LAYOUT}")
    folder = scan(pictures or root)
    files = scan(root) if pictures else folder
    found = _formats(files, folder, classes)
    listed = voc_files.lists(files, Faults()) | yolo_files.lists(folder, Faults())
    problems = [Problem(*p) for p in found.problems]
    boxes, labels, sizes, splits, meant = {}, {}, {}, {}, {}
    for row in found.pictures:
        meant[row.file, row.name] = picture = _picture(row, folder, root, problems)
        if picture in sizes:
            told = f"the picture {row.name!r} is listed twice; its boxes are joined"
            problems.append(Problem(row.file, row.line, told))
        elif picture and (size := _size(row, picture, problems)):
            boxes[picture], labels[picture], sizes[picture] = [], [], size
            splits[picture] = _split(row, picture.relative_to(folder.root), root, listed)
    for row in found.boxes:
        if (row.file, row.picture) not in meant:
            problems.append(
                Problem(row.file, row.line, f"its picture {row.picture!r} is not in the list; left out")
            )
            continue
        picture = meant[row.file, row.picture]
        if picture not in boxes:
            continue
        label = _label(row, found.classes, problems)
        box = _checked(row, sizes[picture], problems)
        if label is not None and box is not None:
            boxes[picture].append(box)
            labels[picture].append(label)
    if not pictures:
        named = set(meant.values())
        bare = [file for file in map(root.joinpath, folder.pictures) if file not in named]
        problems += [Problem(file, 1, "no file of boxes names it; left out") for file in bare]
    if "train" in splits.values():
        bare = [row for row in found.pictures if splits.get(meant[row.file, row.name]) == ""]
        problems += [
            Problem(row.file, row.line, f"{row.name!r} has no split, others have; it is in no part")
            for row in bare
        ]
    if not any(boxes.values()):
        told = "; ".join(map(str, problems[:3])) or "no box"
        raise DataError(f"{root} has no usable box: {told}. {LAYOUT}")
    return OwnBoxes(
        list(boxes),
        list(sizes.values()),
        list(splits.values()),
        [torch.tensor(own, dtype=torch.float32).reshape(-1, 4) for own in boxes.values()],
        [torch.tensor(own, dtype=torch.int64) for own in labels.values()],
        found.classes,
        sorted(problems, key=lambda p: (p.file.name, p.line)),
        root.resolve().name,
    )


def _formats(labels: Folder, pictures: Folder, classes) -> Found:
    """What the files of one format say, the first that :func:`~course_utils.inspection.inspect_folder` would see too."""
    root, lists = labels.root, labels.ending(*LISTS)
    json = [root / f for f in labels.ending(".json")]
    xml = [root / f for f in labels.ending(".xml") if voc_files.is_voc(labels, f)]
    txt = [root / f for f in labels.ending(".txt") if f not in lists and not _is_note(root / f, pictures)]
    if json and ((found := coco(json, xml + txt)).pictures or not xml + txt):
        return found
    if xml:
        return voc(xml, classes)
    if txt:
        return yolo(txt, [root / f for f in lists], root)
    raise DataError(f"{root} holds {len(pictures.pictures)} pictures and no boxes. {LAYOUT}")


def _is_note(file: Path, pictures: Folder) -> bool:
    """Whether a text is about the whole folder, and not about a picture of its name."""
    name = file.name.lower()
    note = name in NOTES or name.startswith("readme") or is_split(file.stem)
    return note and not pictures.named(file.stem)


def _picture(row, folder: Folder, root: Path, problems) -> Path | None:
    """The picture that an entry means: found as :func:`~course_utils.inspection.inspect_folder` finds it."""
    at = row.file.absolute().parent
    below = next(base.absolute() for base in (folder.root, root) if at.is_relative_to(base.absolute()))
    parts = at.relative_to(below).parts
    beside = "/".join("images" if part.lower() == "labels" else part for part in parts)  # YOLO's two folders
    names = [row.name, row.name.removeprefix(f"{folder.root.absolute().name}/")]
    if row.file.suffix.lower() == ".xml":
        names.insert(0, row.file.stem)  # in Pascal VOC the file is named as its picture
    split = split_of(beside) or (split_of(row.file.name) if row.file.suffix.lower() == ".json" else "")
    for name in names:
        found, why = folder.find(name, beside, split)
        if found:
            break
    if found and split and split_of(posixpath.dirname(found)) not in ("", split):
        found, why = None, f"only another split has one: {found}"
    if found is None:
        told = f"the picture {row.name!r} is missing ({why}); left out with its boxes"
        problems.append(Problem(row.file, row.line, told))
        return None
    return folder.root / found


def _split(row, picture: Path, root: Path, listed: dict[str, str]) -> str:
    """``train``, ``val``, ``test`` or an empty text, as :func:`~course_utils.inspection.inspect_folder` understands it."""
    kind = row.file.suffix.lower()
    by_file = split_of(row.file.name) if kind == ".json" else ""
    if kind == ".txt":
        by_file = listed.get(picture.as_posix(), "")
    if kind == ".xml":
        by_file = listed.get(row.file.stem) or split_of(row.file.parent.relative_to(root).as_posix())
    return by_file or split_of(picture.parent.as_posix())


def _size(row, picture: Path, problems) -> tuple[int, int] | None:
    """Width and height of a picture as it is read; ``None``, with a problem noted, if it cannot be."""
    try:
        size = read_image(picture).shape[1::-1]
    except DataError as error:
        problems.append(Problem(row.file, row.line, f"{error} Left out with its boxes."))
        return None
    if row.stated and row.stated != size:
        told = "the labels say {}×{}, the picture is {}×{}; left out with its boxes".format(
            *row.stated, *size
        )
        problems.append(Problem(row.file, row.line, f"{picture.name}: {told}"))
        return None
    return size


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
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        problems.append(
            Problem(row.file, row.line, f"the box {_short(box)} lies outside {wide}×{high}; left out")
        )
        return None
    if np.abs(inside - box).max() > 1:
        problems.append(
            Problem(row.file, row.line, f"the box {_short(box)} leaves {wide}×{high}; cut at the edge")
        )
    return inside.tolist()


def _short(box) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in box) + ")"
