"""What can be wrong with the classes: names that are nearly the same, too few pictures, uneven numbers."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator

from course_utils.inspection.findings import Finding, Layout, Place, count

FEW = 10  # pictures of a class
UNEVEN = 20  # times as many pictures in the largest class as in the smallest


def names(layout: Layout) -> Iterator[Finding]:
    """Class names that differ only by case, spaces, hyphens or accents' encoding."""
    users = defaultdict(list)
    for item in layout.items:
        for label in [item.label] if item.label is not None else [box.label for box in item.boxes or ()]:
            users[label].append(item)
    alike = defaultdict(list)
    for name in dict.fromkeys([*layout.classes, *users]):
        alike[_plain(name)].append(name)
    for group in alike.values():
        if len(group) > 1:
            words = ", ".join(f"{name!r} ({len(users[name]):,})" for name in group)
            rare = min(group, key=lambda name: len(users[name]))
            yield Finding(
                "label-names",
                "error",
                f"labels that differ by case, space or sign only: {words}",
                "Write them in one way: as they are, each is a class of its own.",
                tuple(Place(i.source or i.file, f"{rare!r}", i.line) for i in users[rare]),
            )
    spaced = [name for name in users if name != name.strip() and len(alike[_plain(name)]) == 1]
    if spaced:
        yield Finding(
            "label-space",
            "warning",
            f"{count(len(spaced), 'label')} with a space in front or behind: {', '.join(map(repr, spaced))}",
            "Remove the space.",
            tuple(Place(i.source or i.file, f"{name!r}", i.line) for name in spaced for i in users[name]),
        )


def balance(layout: Layout, faces: bool = False) -> Iterator[Finding]:
    """How many pictures each class has, and whether each split has each class."""
    labelled = [item for item in layout.items if item.label is not None]
    sizes = Counter(item.label.strip() for item in labelled)
    if not sizes:
        if layout.labels == "classes":
            yield Finding("nothing-labelled", "error", "no picture has a label",
                          "Put the pictures into class folders, or name them and their labels in a CSV table.")  # fmt: skip
        return
    if len(sizes) == 1:
        yield Finding(
            "one-class",
            "error",
            f"only one class: {next(iter(sizes))}",
            "A classifier needs two or more. Was the folder above this one meant, or another column?",
        )
    what, few = ("people", 2) if faces else ("classes", FEW)
    few = min(few, 2) if statistics.median(sizes.values()) < FEW else few  # all are small: the reader knows
    rare = {name: n for name, n in sizes.items() if n < few}
    if rare:
        words = ", ".join(f"{name} ({n})" for name, n in sorted(rare.items(), key=lambda pair: pair[1])[:5])
        yield Finding(
            "few-pictures",
            "warning",
            f"{len(rare)} {what if len(rare) > 1 else 'person' if faces else 'class'} with too few pictures: {words}",
            "Two pictures of a person make the first genuine pair: take more, or keep these people for impostor pairs."
            if faces
            else "Collect more, merge it with a related class, or leave it out: a split leaves one or two to test on.",
            tuple(Place(i.file, i.label.strip()) for i in labelled if i.label.strip() in rare),
        )
    most, least = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
    if len(sizes) > 1 and sizes[most] > UNEVEN * sizes[least] and not faces:
        yield Finding(
            "uneven",
            "warning",
            f"the classes are uneven: {most} has {sizes[most]:,} pictures, {least} {sizes[least]:,}",
            "Report balanced accuracy or per-class recall, split by class, and choose the threshold or weight the loss (lessons 06 and 19).",
        )
    if faces:
        return
    splits = defaultdict(set)
    for item in labelled:
        splits[item.split].add(item.label.strip())
    for split, present in splits.items():
        absent = sorted(set(sizes) - present)
        if absent and len(splits) > 1:
            yield Finding(
                "class-missing",
                "error" if split == "train" else "warning",
                f"no picture of {', '.join(absent[:5])} in {split or 'the pictures without a split'}",
                "Split again by class (stratified), so that each split has every class.",
                tuple(Place(i.file) for i in labelled if i.label.strip() in absent),
            )


def _plain(name: str) -> str:
    """A name without what people write differently: case, spaces, hyphens, underscores. Numbers stay as they are."""
    text = unicodedata.normalize("NFKC", name).strip()
    if len(text) == 1 or re.fullmatch(r"[-+\d.,]+", text):  # letters are classes too: a and A
        return text
    return re.sub(r"[\s_-]+(?=.)", " ", text, flags=re.DOTALL).casefold()  # ER and ER- differ
