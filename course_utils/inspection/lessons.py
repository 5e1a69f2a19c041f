"""What the lesson of a task reads, where the inspection understands more."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator

from course_utils.inspection.findings import Finding, Layout, count

LESSONS = {
    "classification": ("13", "one sub-folder for each class, directly in the folder"),
    "detection": ("14", "pictures with COCO JSON, Pascal VOC or YOLO text"),
    "segmentation": ("15", "images/ and masks/, directly in the folder, with the same names"),
    "faces": ("16", "one sub-folder for each person, directly in the folder"),
    "medical": ("17", "a CSV table with the columns patient, label and path"),
    "driving": ("18", "images/ and masks/, directly in the folder, with the same names"),
}
LEAST = {"13": (2, 8, "class"), "16": (15, 6, "person")}  # groups, and pictures in each


def findings(layout: Layout, task: str) -> Iterator[Finding]:
    """Notes where the lesson of the task would refuse the layout, find too few pictures, or not use the given splits."""
    lesson, wanted = LESSONS[task]
    if why := _refused(layout, lesson):
        yield Finding(
            "not-for-the-lesson",
            "note",
            f"lesson {lesson} would refuse it: {why}",
            f"For that lesson bring it into the form: {wanted}. For a training of your own it may stay as it is.",
        )
    elif lesson in LEAST:
        groups, pictures, kind = LEAST[lesson]
        counts = Counter(item.label for item in layout.items)
        if len(counts) < groups or min(counts.values()) < pictures:
            yield Finding(
                "few-for-the-lesson",
                "note",
                f"lesson {lesson} would refuse it: {count(len(counts), kind)}, the smallest of {count(min(counts.values()), 'picture')}",
                f"It needs {groups} or more, with {count(pictures, 'picture')} of each or more.",
            )
    if lesson == "17" and len({item.split for item in layout.items}) > 1:
        yield Finding(
            "splits-not-used",
            "note",
            "lesson 17 does not use the splits that are given: it judges all patients by cross-validation",
            "To keep a test set out of it, give it a table without that part.",
        )


def _refused(layout: Layout, lesson: str) -> str:
    kind, items = layout.format, layout.items
    if lesson in ("13", "16"):
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
