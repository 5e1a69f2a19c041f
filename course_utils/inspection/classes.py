"""Class folders and people folders, and the groups that names of files tell."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from course_utils.driving.sequences import sequence
from course_utils.inspection.findings import Finding, Item, Layout, Place, count
from course_utils.inspection.folder import Folder, is_split, split_of

GROUP_IN_NAME = {
    "patient": re.compile(r"(?<![a-z])((?:patient|pat|subject|subj|case)[-_ ]?\d+)", re.IGNORECASE),
    "video": re.compile(r"(?<![a-z])((?:video|vid|clip|sequence|seq|scene|drive)[-_ ]?\d+)", re.IGNORECASE),
}


def class_folders(folder: Folder, people: bool = False) -> Layout | None:
    """Understand ``[split/]class/…/picture``; ``None`` where the pictures are not in two folders or more."""
    parts = {file: file.split("/") for file in folder.pictures}
    depth, level = 0, _names(parts.values(), 0)
    while len(level) == 1 and not any(len(p) == depth + 1 for p in parts.values()) and next(iter(level)):
        deeper = _names(parts.values(), depth + 1)
        if not deeper or is_split(next(iter(level))):
            break
        depth, level = depth + 1, deeper
    splits = set(filter(is_split, level))
    with_splits = len(splits) == len(level) > 0 or len(splits) > 1
    at = depth + with_splits
    items, outside = [], []
    for file, names in parts.items():
        if len(names) < at + 2 or (with_splits and names[depth] not in splits):
            outside.append(Place(file))
            continue
        items.append(Item(file, split_of(names[depth]) if with_splits else "", names[at]))
    if len({item.label for item in items}) < (1 if with_splits or people else 2) and not folder.empty:
        return None
    if not items:
        return None
    found = []
    if outside:
        found.append(
            Finding(
                "outside",
                "warning",
                f"{count(len(outside), 'picture')} outside the {'people' if people else 'class'} folders: no label",
                "Move each into the folder of its class, or remove it: it will not be used.",
                tuple(outside),
            )
        )
    if with_splits:
        found.append(
            Finding(
                "split-folders",
                "note",
                f"the {'people' if people else 'classes'} lie in split folders: {', '.join(sorted(splits))}",
                "To train, name one of these folders as DATA_DIR: a lesson reads the classes of one, and splits them itself.",
            )
        )
    found += _empty_classes(folder, items, at)
    found += _strangers(folder, {posixpath.dirname(item.file) for item in items})
    name = "people folders" if people else "class folders"
    return Layout(f"{name} in split folders" if with_splits else name, "classes", items, found)


def _names(parts, depth: int) -> set[str]:
    return {names[depth] for names in parts if len(names) > depth + 1}


def _empty_classes(folder: Folder, items: list[Item], at: int) -> Iterator[Finding]:
    roots = {"/".join(item.file.split("/")[:at]) for item in items}
    filled = {"/".join(item.file.split("/")[: at + 1]) for item in items}
    listed = {"/".join(f.split("/")[: at + 1]) for f in folder.files if f.count("/") > at} | set(folder.empty)
    places = [Place(f, "no picture in it") for f in sorted(listed - filled) if posixpath.dirname(f) in roots]
    if places:
        yield Finding(
            "empty-class",
            "error",
            f"{count(len(places), 'class folder')} without a picture",
            "Add pictures or remove the folder: a class that nobody has seen cannot be learned, and some loaders stop.",
            tuple(places),
        )


def _strangers(folder: Folder, used: set[str]) -> Iterator[Finding]:
    pictures = set(folder.pictures)
    places = [Place(f) for f in folder.files if posixpath.dirname(f) in used and f not in pictures]
    if places:
        yield Finding(
            "other-files",
            "warning",
            f"{count(len(places), 'file')} among the pictures that are no pictures",
            "Remove them, or give them the ending of a picture if they are some: loaders skip them or stop.",
            tuple(places),
        )


def groups_from_names(layout: Layout, driving: bool) -> None:
    """Fill in groups that the file names tell (``patient12_3.png``, ``seq05_0040.png``) and mark them as guessed.

    For ``driving`` the name without its last number is taken as the name of the video, where it has several frames.
    """
    for kind, pattern in GROUP_IN_NAME.items():
        matches = {item.file: pattern.search(item.file) for item in layout.items if kind not in item.groups}
        if layout.items and len(matches) == len(layout.items) and all(matches.values()):
            _guess(layout, kind, {file: match.group(1).lower() for file, match in matches.items()})
    if driving and not any("video" in item.groups for item in layout.items):
        stems = {i.file: posixpath.splitext(posixpath.basename(i.file))[0] for i in layout.items}
        videos = {file: sequence(stem) for file, stem in stems.items()}
        sizes = Counter(videos.values())
        if videos and all(name and sizes[name] > 1 for name in videos.values()) and len(sizes) > 1:
            _guess(layout, "video", videos)


def _guess(layout: Layout, kind: str, names: dict[str, str]) -> None:
    layout.guessed += (kind,)
    for item in layout.items:
        item.groups.setdefault(kind, names[item.file])
