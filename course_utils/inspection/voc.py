"""Read Pascal VOC: one XML file for each picture."""

from __future__ import annotations

import posixpath
import re

from course_utils.inspection.findings import Box, Item, Layout
from course_utils.inspection.folder import Folder, split_of
from course_utils.inspection.sources import Faults, four_numbers, head, lines, unlisted, xml


def voc(folder: Folder) -> Layout | None:
    """Understand one XML file for each picture; lists in ``ImageSets/Main`` or folders give the splits."""
    files = [file for file in folder.ending(".xml") if is_voc(folder, file)]
    if not files:
        return None
    faults, items = Faults(), {}
    splits = lists(folder, faults)
    for file in files:
        root = xml(folder, file, faults)
        if root is None:
            continue
        stem = posixpath.splitext(posixpath.basename(file))[0]
        path, why = folder.find(stem, posixpath.dirname(file))
        if path is None:
            given = root.text("filename") or stem
            path, why = folder.find(given, posixpath.dirname(file))
            if path is None:
                faults.path(file, given, why, root.line)
                continue
        if path in items:
            faults.add("repeated-row", file, f"{path} has another file of labels", picture=path)
            continue
        split = splits.get(stem) or split_of(posixpath.dirname(file)) or split_of(posixpath.dirname(path))
        size = [four_numbers([root.text(f"size/{side}")] * 4) for side in ("width", "height")]
        stated = tuple(int(side[0]) for side in size if side and side[0] > 0)
        item = items[path] = Item(
            path, split, boxes=[], source=file, stated=stated if len(stated) == 2 else None
        )
        for thing in root.all("object"):
            name = thing.text("name")
            corners = [thing.text(f"bndbox/{corner}") for corner in ("xmin", "ymin", "xmax", "ymax")]
            numbers = four_numbers(corners)
            if numbers is None:
                faults.add("bad-box", file, f"{name}: {', '.join(corners)}", thing.line, path)
            elif not name.strip():
                faults.add("unknown-class", file, "a box without a name", thing.line, path)
            elif thing.text("difficult") == "1":
                faults.add("left-out", file, f"{name}: difficult", thing.line, path)
            else:
                item.boxes.append(Box(name, *numbers, line=thing.line))
    unlisted(folder, items, faults)
    return Layout("Pascal VOC", "boxes", list(items.values()), faults.findings())


def is_voc(folder: Folder, file: str) -> bool:
    """Whether an XML file is one picture's; CVAT writes all of a task into one, below ``<annotations>``."""
    start = head(folder, file)
    return b"<annotations>" not in start and (b"<annotation" in start or "annotations/" in file.lower())


def lists(folder: Folder, faults: Faults) -> dict[str, str]:
    """Name → split, from lists such as ImageSets/Main/train.txt; the lists of other tasks have other splits."""
    found: dict[str, str] = {}
    files = [file for file in folder.ending(".txt") if "imagesets/" in file.lower()]
    files = [file for file in files if "imagesets/main/" in file.lower()] or files
    for file in files:
        stem = posixpath.splitext(posixpath.basename(file))[0]
        split = split_of(stem.replace("_", "/"))  # train_val: the pictures of val, whether a train is on them
        for number, line in enumerate(lines(folder, file, Faults()) if split else [], 1):
            name = line.strip()
            if not folder.named(name):
                name = re.sub(r"\s+-?[01]$", "", name)  # lists of one class say whether it is there
            if name and found.setdefault(name, split) != split:
                note = f"{name}: {split}, and {found[name]} in another list"
                faults.add("two-splits", file, note, number)
    return found
