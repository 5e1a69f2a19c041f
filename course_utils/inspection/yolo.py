"""Read YOLO text: one file of lines for each picture."""

from __future__ import annotations

import posixpath
from collections import Counter

import yaml

from course_utils.inspection.findings import Box, Item, Layout
from course_utils.inspection.folder import Folder, is_split, split_of
from course_utils.inspection.sources import Faults, four_numbers, lines, unlisted


def yolo(folder: Folder) -> Layout | None:
    """Understand one text file for each picture, with a line ``class x y width height`` in shares for each box."""
    beside = {posixpath.splitext(file)[0] for file in folder.pictures}
    files = [
        f
        for f in folder.ending(".txt")
        if {"labels", "boxes"} & set(f.lower().split("/")[:-1]) or posixpath.splitext(f)[0] in beside
    ]
    files = [f for f in files if posixpath.basename(f) not in ("classes.txt", "labels.txt")]
    if not files:
        return None
    faults, items = Faults(), {}
    listed = lists(folder, faults)
    names, keypoints = _yolo_names(folder, faults)
    if not names and not faults.places["broken-file"]:
        faults.add("class-names", files[0], "its numbers have no names")
    for file in files:
        path = _yolo_picture(folder, file)
        if path is None:
            faults.add("missing-picture", file, "no picture of this name beside it or in images/")
            continue
        split = listed.get(path) or split_of(posixpath.dirname(path))
        items[path] = Item(path, split, boxes=[], source=file)
        for number, line in enumerate(lines(folder, file, faults), 1):
            if line.strip():
                _yolo_line(line, number, file, items[path], names, keypoints, faults)
    unlisted(folder, items, faults)
    classes = tuple(names[number] for number in sorted(names))
    return Layout("YOLO text", "boxes", list(items.values()), faults.findings(), classes, relative=True)


def lists(folder: Folder, faults: Faults) -> dict[str, str]:
    """Picture → split, from lists of paths such as train.txt, as Ultralytics and CVAT write them."""
    found: dict[str, str] = {}
    for file in folder.ending(".txt"):
        stem = posixpath.splitext(posixpath.basename(file))[0]
        if is_split(stem) and not folder.named(stem):
            for number, given in enumerate(lines(folder, file, Faults()), 1):
                path = folder.below(given) or folder.find(given, posixpath.dirname(file))[0]
                path = path or folder.find(posixpath.basename(given.strip()))[0]
                if path and found.setdefault(path, split_of(stem)) != split_of(stem):
                    note = f"{path}: {split_of(stem)}, and {found[path]} in another list"
                    faults.add("two-splits", file, note, number)
    return found


def _yolo_line(line, number, file, item, names, keypoints, faults) -> None:
    words = line.split()[: 5 if keypoints else None]
    numbers = four_numbers(words[1:5])
    polygon = len(words) >= 7 and len(words) % 2 == 1
    if polygon and (points := [four_numbers([word] * 4) for word in words[1:]]) and all(points):
        x, y = [p[0] for p in points[::2]], [p[0] for p in points[1::2]]
        numbers = ((min(x) + max(x)) / 2, (min(y) + max(y)) / 2, max(x) - min(x), max(y) - min(y))
    if numbers is None or (len(words) not in (5, 6) and not polygon):
        faults.add("bad-box", file, f"{line.strip()!r}"[:100], number, item.file)
        return
    name = names.get(words[0]) if names else words[0] if words[0].isdigit() else None
    if name is None:
        valid = (
            ", ".join(f"{key} {value}" for key, value in list(names.items())[:8]) or "whole numbers from 0"
        )
        faults.add("unknown-class", file, f"class {words[0]!r}; known: {valid}", number, item.file)
        return
    if len(words) == 6:
        faults.add("prediction", file, line.strip(), number, item.file)
    x, y, w, h = numbers
    item.boxes.append(Box(name, x - w / 2, y - h / 2, x + w / 2, y + h / 2, line=number))


def _yolo_names(folder: Folder, faults: Faults) -> tuple[dict[str, str], bool]:
    """The names by their numbers, and whether keypoints follow each box."""
    for file in folder.ending("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names"):
        keypoints = False
        if file.endswith((".txt", ".names")):
            found = [line.strip() for line in lines(folder, file, faults) if line.strip()]
        else:
            try:
                document = yaml.safe_load("\n".join(lines(folder, file, faults)))
                document = document if isinstance(document, dict) else {}
                found, keypoints = document.get("names", []), "kpt_shape" in document
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                faults.add("broken-file", file, " ".join(str(error).split())[:160])
                continue
        pairs = (
            found.items() if isinstance(found, dict) else enumerate(found if isinstance(found, list) else [])
        )
        names = {str(k): str(name) for k, name in pairs if isinstance(name, (str, int, float))}
        for name, n in Counter(names.values()).items():
            if n > 1:
                faults.add("class-list", file, f"{name!r} has {n} numbers")
        if names:
            return names, keypoints
    return {}, False


def _yolo_picture(folder: Folder, file: str) -> str | None:
    parts = posixpath.splitext(file)[0].split("/")
    swapped = ["images" if part.lower() == "labels" else part for part in parts]
    for stem in ("/".join(swapped), "/".join(parts)):
        same = [
            picture
            for picture in folder.named(posixpath.basename(stem))
            if posixpath.splitext(picture)[0] == stem
        ]
        if same:
            return same[0] if len(same) == 1 else None
    only = folder.named(parts[-1])
    return only[0] if len(only) == 1 else None
