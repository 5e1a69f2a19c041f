"""What the lesson of a task reads, where the inspection understands more."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterator

from course_utils.data.rows import split_rows, too_few
from course_utils.inspection.findings import Finding, Item, Layout, count

LESSONS = {
    "classification": ("13", "one sub-folder for each class, directly in the folder"),
    "detection": ("14", "pictures with COCO JSON, Pascal VOC or YOLO text"),
    "segmentation": ("15", "images/ and masks/, directly in the folder, with the same names"),
    "faces": ("16", "one sub-folder for each person, directly in the folder"),
    "medical": ("17", "a CSV table with the columns patient, label and path"),
    "driving": ("18", "images/ and masks/, directly in the folder, with the same names"),
}
FEWEST = {"15": 5, "18": 10}  # pictures
PATIENTS = (5, 2, 5, 2)  # in all; classes, and pictures and patients in each
LEAST = {"13": (2, 8, "class"), "16": (15, 6, "person")}  # groups, and pictures in each


def findings(layout: Layout, task: str) -> Iterator[Finding]:
    """Notes where the lesson of the task would refuse the layout or find too few pictures."""
    lesson, wanted = LESSONS[task]
    if why := _refused(layout, lesson):
        yield Finding(
            "not-for-the-lesson",
            "note",
            f"lesson {lesson} would refuse it: {why}",
            f"For that lesson bring it into the form: {wanted}. For a training of your own it may stay as it is.",
        )
    elif few := _few(layout, lesson):
        yield Finding("few-for-the-lesson", "note", f"lesson {lesson} would refuse it: {few[0]}", few[1])


def _few(layout: Layout, lesson: str) -> tuple[str, str] | None:
    """What there is too little of, and how much the lesson needs."""
    items = layout.items
    if lesson in LEAST:
        groups, pictures, kind = LEAST[lesson]
        counts = Counter(item.label for item in items)
        if len(counts) < groups or min(counts.values()) < pictures:
            there = f"{count(len(counts), kind)}, the smallest of {count(min(counts.values()), 'picture')}"
            return there, f"It needs {groups} or more, with {count(pictures, 'picture')} of each or more."
    if len(items) < FEWEST.get(lesson, 0):
        return count(len(items), "picture"), f"It needs {FEWEST[lesson]} or more; some hundred are a start."
    if lesson == "14" and (told := too_few(split_rows([item.split for item in items]))):
        there, _, needed = told.partition(". ")
        return f"{count(len(items), 'picture')} make {there}", needed
    return _few_patients(items) if lesson == "17" else None


def _few_patients(items: list[Item]) -> tuple[str, str] | None:
    least, classes, pictures, patients = PATIENTS
    by_label: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.split != "test":
            by_label[item.label.strip()].append(item.groups["patient"])
    kept = [who for who in by_label.values() if len(who) >= pictures and len(set(who)) >= patients]
    everybody = set().union(*kept)
    if len(kept) >= classes and len(everybody) >= least:
        return None
    there = f"{count(len(kept), 'class')} of {pictures} pictures and {patients} patients or more, {count(len(everybody), 'patient')} in them"
    return (
        there,
        f"It needs {classes} such classes or more, and {least} patients or more, the part called test aside.",
    )


def _refused(layout: Layout, lesson: str) -> str:
    kind, items = layout.format, layout.items
    if lesson in ("13", "16"):
        if kind.endswith("in split folders"):
            return "its classes lie in split folders; name the one to train on"
        if not kind.startswith(("class folders", "people folders")):
            return f"it reads folders, and this is {kind}"
        inside = posixpath.dirname(items[0].file).split("/")
        above = "/".join(inside[: inside.index(items[0].label)])
        return f"the folders of the classes lie in {above}/" if above else ""
    if lesson in ("15", "18"):
        where = {posixpath.dirname(file) for item in items for file in (item.file, item.mask) if file}
        return (
            ""
            if where == {"images", "masks"}
            else f"pictures and masks lie in {', '.join(sorted(where)) or 'it'}"
        )
    if lesson == "17":
        if not kind.startswith("CSV"):
            return f"it reads a table, and this is {kind}"
        return "" if all("patient" in item.groups for item in items) else "the table names no patient"
    return ""
