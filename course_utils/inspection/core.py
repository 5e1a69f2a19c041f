"""Inspect a folder: list it, understand its format, read every picture once, run the checks, sort the findings."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from course_utils.errors import DataError, choice
from course_utils.inspection import boxes, checks, classes, dicom, labels, lessons, masks, splits
from course_utils.inspection.coco import coco
from course_utils.inspection.findings import LEVELS, TASKS, Layout, Report
from course_utils.inspection.folder import Folder, scan
from course_utils.inspection.pictures import Picture, read_all
from course_utils.inspection.tables import tables
from course_utils.inspection.voc import voc
from course_utils.inspection.yolo import yolo

FORMATS: dict[str, Callable[[Folder], Layout | None]] = {
    "COCO JSON": coco,
    "Pascal VOC": voc,
    "YOLO text": yolo,
    "mask pairs": masks.pairs,
    "CSV table": tables,
    "DICOM": dicom.series,
    "class folders": classes.class_folders,
    "people folders": lambda folder: classes.class_folders(folder, people=True),
}
WITH_BOXES = ("COCO JSON", "Pascal VOC", "YOLO text")
ACCEPTED = {
    "classification": ("CSV table", "class folders", "DICOM"),
    "detection": WITH_BOXES,
    "segmentation": ("mask pairs",),
    "faces": ("CSV table", "people folders"),
    "medical": (*WITH_BOXES, "mask pairs", "CSV table", "DICOM", "class folders"),
    "driving": ("mask pairs", *WITH_BOXES, "CSV table", "class folders"),
}
LOOKS_LIKE = {
    "COCO JSON": "FOLDER/annotations.json with images, annotations and categories, and the pictures below FOLDER",
    "Pascal VOC": "FOLDER/Annotations/*.xml beside FOLDER/JPEGImages/",
    "YOLO text": "FOLDER/images/*.jpg and FOLDER/labels/*.txt, with data.yaml or classes.txt",
    "mask pairs": "FOLDER/images/ and FOLDER/masks/ with the same names",
    "CSV table": "FOLDER/labels.csv with the columns path and label (and patient, identity, video, split)",
    "DICOM": "FOLDER/**/*.dcm",
    "class folders": "FOLDER/CLASS/*.jpg, or FOLDER/train/CLASS/*.jpg",
    "people folders": "FOLDER/PERSON/*.jpg",
}


def inspect_folder(path: str | Path, task: str, progress: bool = True) -> Report:
    """Inspect the folder ``path`` for a ``task`` of :data:`TASKS`; nothing is changed and nothing outside it is opened.

    Raises :class:`DataError` if the folder is not there or empty, or holds none of the task's formats.
    """
    choice(task, TASKS, "task", DataError)
    folder = scan(path)
    layout = recognise(folder, task)
    if task == "driving" and layout.labels == "masks":
        add_boxes(folder, layout)
    if task == "faces":
        for item in layout.items:
            item.groups.setdefault("identity", item.label.strip())
    classes.groups_from_names(layout, task == "driving")
    files = dict.fromkeys(item.file for item in layout.items)
    pictures = read_all(folder.root, files, progress)
    dicom.groups(layout, pictures)
    boxes.to_pixels(layout, pictures)
    found = [*folder.findings, *layout.findings, *checks.whole(pictures), *checks.kinds(pictures)]
    found += [*checks.looks(pictures), *labels.names(layout), *labels.balance(layout, task == "faces")]
    found += [*splits.sizes(layout), *splits.leakage(layout), *splits.duplicates(layout, pictures)]
    found += dicom.findings(pictures)
    if "boxes" in layout.labels:
        found += boxes.findings(layout, pictures)
    if "masks" in layout.labels:
        found += masks.findings(folder, layout, pictures, progress)
    found.sort(key=lambda finding: list(LEVELS).index(finding.level))
    told = [*lessons.findings(layout, task)]
    return Report(folder.root, task, layout, pictures, found, summary(layout, pictures), told)


def recognise(folder: Folder, task: str) -> Layout:
    """The first of the task's formats that the folder has.

    Raises :class:`DataError` that says what was found, which formats the task takes and which task takes this one.
    """
    bare = None
    for name in ACCEPTED[task]:
        if layout := FORMATS[name](folder):
            if layout.items:
                return layout
            bare = bare or layout
    if bare:
        return bare
    fits = {name: read(folder) for name, read in FORMATS.items() if name not in ACCEPTED[task]}
    other = [f"{n} (--task {t})" for n in fits if fits[n] for t in TASKS if n in ACCEPTED[t]]
    endings = Counter(Path(file).suffix.lower() or "no ending" for file in folder.files)
    there = ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common(4))
    wanted = "; ".join(f"{name}: {LOOKS_LIKE[name]}" for name in ACCEPTED[task])
    raise DataError(
        f"no format of the task {task} in {folder.root} ({there}). Wanted is one of – {wanted}."
        + (f" It looks like {' or '.join(dict.fromkeys(other))}." if other else "")
    )


def add_boxes(folder: Folder, layout: Layout) -> None:
    """Give the pictures of a layout with masks the boxes that stand in ``boxes/``, where lesson 18 reads them."""
    items = {item.file: item for item in layout.items}
    labels = {file for file in folder.files if file.startswith("boxes/")} - set(folder.pictures)
    inner = Folder(folder.root, [file for file in folder.files if file in items or file in labels], [])
    found = next((read for name in WITH_BOXES if (read := FORMATS[name](inner))), None)
    if found is None:
        return
    for item in layout.items:
        item.boxes = []
    for item in found.items:
        own = items[item.file]
        own.boxes, own.source, own.line, own.stated = item.boxes, item.source, item.line, item.stated
    layout.format, layout.labels = f"{layout.format}, and {found.format}", "masks and boxes"
    layout.classes, layout.relative = found.classes, found.relative
    layout.findings += found.findings


def summary(layout: Layout, pictures: Mapping[str, Picture]) -> dict:
    """The numbers that describe the data: counts by split and class, sizes in pixels, colour modes, file formats."""
    good = [picture for picture in pictures.values() if picture.look is not None]
    sizes = [picture.upright for picture in good]
    middle = [int(statistics.median(side)) for side in zip(*sizes, strict=True)] if sizes else []
    labels = chain.from_iterable(
        [item.label.strip()] if item.label is not None else [box.label for box in item.boxes or ()]
        for item in layout.items
    )
    return {
        "format": layout.format,
        "pictures": len(pictures),
        "readable": len(good),
        "splits": dict(Counter(item.split for item in layout.items if item.split)),
        "classes": dict(Counter(labels).most_common()),
        "boxes": sum(len(item.boxes or ()) for item in layout.items) if "boxes" in layout.labels else None,
        "masks": sum(item.mask is not None for item in layout.items) if "masks" in layout.labels else None,
        "groups": {kind: len({i.groups[kind] for i in layout.items if kind in i.groups}) for kind in _kinds(layout)},
        "smallest": list(min(sizes, key=lambda s: s[0] * s[1])) if sizes else None,
        "median": middle or None,
        "largest": list(max(sizes, key=lambda s: s[0] * s[1])) if sizes else None,
        "modes": dict(Counter(picture.mode for picture in good).most_common()),
        "files": dict(Counter(picture.format for picture in good).most_common()),
    }  # fmt: skip


def _kinds(layout: Layout) -> list[str]:
    return sorted({kind for item in layout.items for kind in item.groups})
