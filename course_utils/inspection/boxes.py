"""What can be wrong with boxes: outside the picture, empty, tiny, twice, drawn on a picture of another size."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from course_utils.inspection.findings import Box, Finding, Item, Layout, Place, count
from course_utils.inspection.labels import FEW
from course_utils.inspection.pictures import Picture

SLACK = 1.0  # pixels that a box may lie outside: rounding, and counting pixels from 1
SMALL = 2.0  # pixels of the shorter side
UNEVEN = 50  # times as many boxes of the commonest class as of the rarest


def to_pixels(layout: Layout, pictures: Mapping[str, Picture]) -> None:
    """Turn corners that are shares of width and height into pixels of the upright picture."""
    if layout.relative:
        for item in layout.items:
            w, h = pictures[item.file].upright
            if w:
                item.boxes = [
                    b._replace(x0=b.x0 * w, x1=b.x1 * w, y0=b.y0 * h, y1=b.y1 * h) for b in item.boxes
                ]
        layout.relative = False


def findings(layout: Layout, pictures: Mapping[str, Picture]) -> Iterator[Finding]:
    """Every fault of the boxes; corners must be in pixels."""
    found = defaultdict(list)
    for item in layout.items:
        picture = pictures[item.file]
        if picture.look is None:
            continue
        w, h = picture.upright
        if item.stated and item.stated != (w, h):
            note = f"{item.file}: the labels say {item.stated[0]}×{item.stated[1]}, the picture is {w}×{h}"
            turned = (
                f", turned by EXIF orientation {picture.orientation}"
                if item.stated == (h, w) != (w, h)
                else ""
            )
            found["stated-size"].append(Place(item.source, note + turned, picture=item.file))
        seen = Counter((box.label, *map(round, box[1:5])) for box in item.boxes)
        for box in item.boxes:
            wide, high = box.x1 - box.x0, box.y1 - box.y0
            if wide <= 0 or high <= 0:
                found["box-empty"].append(_place(item, box, f"{wide:g} wide, {high:g} high"))
            elif min(box.x0, box.y0) < -SLACK or box.x1 > w + SLACK or box.y1 > h + SLACK:
                found["box-outside"].append(_place(item, box, f"picture {w}×{h}"))
            elif min(wide, high) < SMALL:
                found["box-tiny"].append(_place(item, box, f"{wide:g} wide, {high:g} high"))
            if (n := seen.pop((box.label, *map(round, box[1:5])), 1)) > 1:
                found["box-twice"].append(_place(item, box, f"{n} times"))
    for code, (level, words, advice) in FAULTS.items():
        if found[code]:
            thing = "picture" if code == "stated-size" else "box"
            yield Finding(
                code, level, f"{count(len(found[code]), thing)} {words}", advice, tuple(found[code])
            )
    yield from _empty(layout)
    yield from _balance(layout)


FAULTS = {
    "stated-size": ("error", "of another size than the labels say", "Use the pictures that were labelled, or scale the boxes with them; turn pictures upright before you label them."),
    "box-outside": ("error", "outside the picture", "Cut the box at the border; if many are outside, the order of the corners or the size is wrong."),
    "box-empty": ("error", "without area", "Remove the box, or write its corners in the right order: upper left, then lower right."),
    "box-tiny": ("warning", f"less than {SMALL:g} pixels wide or high", "Look at it: a slip of the mouse? A net sees nothing there."),
    "box-twice": ("warning", "written more than once", "Keep one: a copy counts as a missed object in the score."),
}  # fmt: skip


def _place(item: Item, box: Box, note: str) -> Place:
    corners = ", ".join(f"{value:g}" for value in (round(v, 2) for v in box[1:5]))
    where = f"{box.name}, " if box.name else ""
    return Place(item.source, f"{where}{box.label} at {corners} in {item.file}: {note}", box.line, item.file)


def _empty(layout: Layout) -> Iterator[Finding]:
    bare = tuple(Place(item.file) for item in layout.items if not item.boxes)
    if bare:
        most = 2 * len(bare) > len(layout.items)
        yield Finding(
            "no-boxes",
            "warning" if most else "note",
            f"{count(len(bare), 'picture')} without a box",
            "Right if nothing is on it. If something is, a net is taught to overlook it: look at a few.",
            bare,
        )


def _balance(layout: Layout) -> Iterator[Finding]:
    users = defaultdict(list)
    for item in layout.items:
        for box in item.boxes:
            users[box.label].append(item)
    unused = [name for name in layout.classes if name not in users]
    if unused:
        yield Finding(
            "class-unused",
            "warning",
            f"no box of {', '.join(unused[:6])}",
            "Remove the class from the list, or look for the labels that should have it.",
        )
    if not users:
        if layout.items:
            yield Finding(
                "nothing-labelled",
                "error",
                "no picture has a usable box",
                "Mend the findings above, or label.",
            )
        return
    sizes = {name: len(items) for name, items in users.items()}
    few = {name: n for name, n in sizes.items() if n < FEW <= statistics.median(sizes.values())}
    if few:
        yield Finding(
            "few-boxes",
            "warning",
            f"{count(len(few), 'class')} with few boxes: {', '.join(f'{k} ({n})' for k, n in few.items())}",
            "Label more, merge it with a related class, or leave it out.",
            tuple(Place(item.file, name) for name in few for item in users[name]),
        )
    most, least = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
    if sizes[most] > UNEVEN * sizes[least]:
        yield Finding(
            "uneven",
            "warning",
            f"the classes are uneven: {most} has {sizes[most]:,} boxes, {least} {sizes[least]:,}",
            "Report average precision by class, and show pictures with the rare class more often.",
        )
    splits = {item.split for item in layout.items}
    unseen = [name for name, items in users.items() if "train" not in {item.split for item in items}]
    if "train" in splits and len(splits) > 1 and unseen:
        yield Finding(
            "class-missing",
            "error",
            f"no box of {', '.join(unseen[:5])} in train",
            "Split again, so that train has every class.",
            tuple(Place(item.file, name) for name in unseen for item in users[name]),
        )
