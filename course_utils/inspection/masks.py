"""Pictures with masks: which belongs to which, and whether the values, sizes and classes of the masks hold together.

Values are read as lesson 15 reads them: a ``classes.txt`` names them; without one they are judged by how they occur.
"""

from __future__ import annotations

import os
import posixpath
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from course_utils.data.folders import composed
from course_utils.inspection.findings import Finding, Item, Layout, Place, count
from course_utils.inspection.folder import Folder, split_of
from course_utils.inspection.pictures import Picture

MASK_WORDS = r"masks?|labels?|annotations?|annots?|gt|ground_?truth|seg|segmentations?|targets?"
IN_FOLDER = re.compile(rf"^(?:(.*?)[-_ ]?(?:{MASK_WORDS}))$", re.IGNORECASE)
IN_NAME = re.compile(rf"^(.+?)[-_ ](?:{MASK_WORDS}|L)$", re.IGNORECASE)
IMAGE_WORDS = ("image", "images", "img", "imgs", "jpegimages", "picture", "pictures", "frames", "photos")
IGNORE = 255


class Mask(NamedTuple):
    """What one mask holds: ``size`` (width, height) and the pixels of each value, a number or an (r, g, b) colour."""

    size: tuple[int, int] = (0, 0)
    pixels: Mapping = {}
    problem: str = ""


class Key(NamedTuple):
    """What a picture and its mask have in common: folders and ``stem``, ``plain`` without a word such as ``_mask``."""

    parts: tuple[str, ...]
    stem: str
    plain: str
    in_folder: bool  # of masks


def pairs(folder: Folder) -> Layout | None:
    """Understand ``images/`` and ``masks/`` (also ``train/`` and ``trainannot/``, ``a.png`` and ``a_mask.png``)."""
    # What lies in boxes/ are labels to lesson 18, and pictures beside them are none of its frames.
    keys = {file: _key(file) for file in folder.pictures if not file.startswith("boxes/")}
    # Where a folder tells the masks, names do not: images/eye_L.png is a left eye.
    in_folders = any(key.in_folder for key in keys.values())
    pictures, masks, twice, renamed = {}, {}, [], []
    for file, key in sorted(keys.items(), key=lambda pair: pair[1].in_folder):  # pictures first
        is_mask = key.in_folder if in_folders else key.plain != key.stem
        stem = key.plain if is_mask and (*key.parts, key.stem) not in pictures else key.stem
        if in_folders and stem != key.stem:
            renamed.append(Place(file, f"its picture is called {stem}"))
        if (there := (masks if is_mask else pictures).setdefault((*key.parts, stem), file)) != file:
            twice.append(Place(file, f"{there} has the same name"))
    paired = [key for key in masks if key in pictures]
    if not paired or 2 * len(paired) < min(len(pictures), len(masks)):
        return None
    wrong: list[str] = []
    names = _class_list(folder, wrong)
    items = [
        Item(file, split_of(posixpath.dirname(file)), mask=masks.get(key)) for key, file in pictures.items()
    ]
    found = []
    bare = tuple(Place(item.file, "no mask of this name") for item in items if item.mask is None)
    if bare:
        found.append(Finding("mask-missing", "error", f"{count(len(bare), 'picture')} without a mask",
                             "Draw the mask, or remove the picture; names must agree up to the ending.", bare))  # fmt: skip
    alone = tuple(
        Place(file, "no picture of this name") for key, file in masks.items() if key not in pictures
    )
    if alone:
        found.append(Finding("mask-alone", "error", f"{count(len(alone), 'mask')} without a picture",
                             "Add the picture, or remove the mask; names must agree up to the ending.", alone))  # fmt: skip
    if twice:
        found.append(Finding("mask-names", "error", f"{count(len(twice), 'file')} with the name of another, up to the ending",
                             "Keep one of them, or rename it: which mask is whose cannot be told.", tuple(twice)))  # fmt: skip
    if renamed:
        found.append(Finding("mask-renamed", "warning", f"{count(len(renamed), 'mask')} with another name than the picture",
                             "Give both one name, in images/ and in masks/: training reads no other.", tuple(renamed)))  # fmt: skip
    if wrong:
        places = tuple(Place("classes.txt", text.partition(": ")[2] or text) for text in wrong)
        found.append(Finding("class-list", "error", f"{count(len(wrong), 'line')} of classes.txt cannot be read",
                             "Write on each line a value (or red green blue) and a name.", places))  # fmt: skip
    layout = Layout("pictures with masks", "masks", items, found)
    layout.classes = names
    return layout


def findings(
    folder: Folder, layout: Layout, pictures: Mapping[str, Picture], progress: bool
) -> list[Finding]:
    """Read every mask and judge sizes, values and classes."""
    owners = {item.mask: item for item in layout.items if item.mask}
    declared = _declared(folder, [])
    coloured = _is_coloured(declared)
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")
        work = pool.map(lambda file: read(folder, file, coloured), owners)
        bar = tqdm(work, "masks", len(owners), disable=None if progress else True, leave=False)
        masks = dict(zip(owners, bar, strict=True))
    bad = tuple(Place(file, mask.problem) for file, mask in masks.items() if mask.problem)
    good = {file: mask for file, mask in masks.items() if not mask.problem}
    found = []
    if bad:
        found.append(Finding("mask-unreadable", "error", f"{count(len(bad), 'mask')} cannot be used",
                             "Export it again as PNG.", bad))  # fmt: skip
    places = []
    for file, mask in good.items():
        picture = pictures[owners[file].file]
        if picture.look is not None and mask.size != picture.upright:
            places.append(Place(file, "{}×{} for a picture of {}×{}".format(*mask.size, *picture.upright)))
    if places:
        found.append(Finding("mask-size", "error", f"{count(len(places), 'mask')} of another size than the picture",
                             "Export it again at the picture's size; never stretch it with interpolation. "
                             "If sides are swapped, the picture is turned by its EXIF orientation.", tuple(places)))  # fmt: skip
    return [*found, *_values(good, declared), *_classes(good, owners, declared)]


def read(folder: Folder, file: str, coloured: bool) -> Mask:
    """Count the pixels of each value of one mask; of a palette's colours, if classes.txt lists colours."""
    from course_utils.segmentation.folders import read_mask

    try:
        values = read_mask(folder.root / file, coloured)
    except Exception as error:  # a damaged file makes a decoder raise anything
        return Mask(problem=str(error))
    keys = values if values.ndim == 2 else values.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    unique, counts = np.unique(keys, return_counts=True)
    if values.ndim == 3:
        names = [(int(k) >> 16, int(k) >> 8 & 255, int(k) & 255) for k in unique]
    else:
        names = [int(k) for k in unique]
    return Mask(values.shape[1::-1], dict(zip(names, counts.tolist(), strict=True)))


def _values(masks: Mapping[str, Mask], declared: Mapping) -> Iterator[Finding]:
    coloured = [
        file for file, mask in masks.items() if any(isinstance(value, tuple) for value in mask.pixels)
    ]
    if coloured and len(coloured) < len(masks) and not (declared and _is_coloured(declared)):
        few = coloured if 2 * len(coloured) < len(masks) else [file for file in masks if file not in coloured]
        yield Finding("mask-kinds", "error", f"{len(coloured):,} masks are coloured, {len(masks) - len(coloured):,} hold numbers",
                      "Convert them to one kind, best PNGs of class numbers.", tuple(map(Place, few)))  # fmt: skip
        masks = {file: mask for file, mask in masks.items() if file not in coloured}
    known, why = (set(declared), "classes.txt") if declared else _usual(masks)
    if _is_coloured(declared):
        known |= {value[0] for value in declared if len(set(value)) == 1}
    places = []
    for file, mask in masks.items():
        odd = {value: n for value, n in mask.pixels.items() if value not in known}
        if odd:
            told = ", ".join(f"{value} ({n:,} pixels)" for value, n in list(odd.items())[:4])
            places.append(Place(file, told + (f" and {len(odd) - 4} more values" if len(odd) > 4 else "")))
    if places:
        valid = ", ".join(map(str, sorted(known, key=str)[:12]))
        yield Finding("mask-values", "error", f"{count(len(places), 'mask')} with unknown values (known from {why}: {valid})",
                      "Add the value to classes.txt, or correct the mask. Values between the classes come from JPEG or from "
                      "scaling with interpolation: export again as PNG, nearest neighbour.", tuple(places))  # fmt: skip
    if not declared and not known <= {0, 1} and not known <= {0, IGNORE}:
        yield Finding("no-class-list", "note", f"{count(len(known), 'mask value')} without names: lessons 15 and 18 would refuse them",
                      "Write classes.txt with a line for each: the value (or red green blue), then its name.")  # fmt: skip


def _usual(masks: Mapping[str, Mask]) -> tuple[set, str]:
    """The values that the masks' own statistics allow, where nothing declares them."""
    pixels, users = Counter(), Counter()
    for mask in masks.values():
        pixels.update(mask.pixels)
        users.update(mask.pixels.keys())
    total = max(pixels.total(), 1)
    if any(isinstance(value, tuple) for value in pixels):
        return {
            v for v, n in pixels.items() if n > 0.01 * total or (users[v] > 1 and n > 1e-5 * total)
        }, "the other masks"
    if pixels[0] + pixels[255] > 0.5 * total and pixels[255] and pixels[1] + pixels[2] < 0.01 * total:
        return {0, 255}, "the two main values"
    beyond = max(pixels, default=0) + 2
    top = next(v for v in range(beyond) if v not in pixels and v + 1 not in pixels)
    often = max(1, 0.05 * len(masks))
    return {v for v in pixels if v <= top or v == IGNORE or users[v] > often}, "the other masks"


def _classes(masks: Mapping[str, Mask], owners: Mapping[str, Item], declared: Mapping) -> Iterator[Finding]:
    ignored = {value for value, name in declared.items() if name == "ignore"} or {IGNORE}
    pixels, where = Counter(), defaultdict(set)
    for file, mask in masks.items():
        for value, n in mask.pixels.items():
            pixels[value] += n
            where[value].add(owners[file].split)
    if masks and len(pixels) == 1:
        yield Finding("mask-one-value", "error", f"every mask holds the value {next(iter(pixels))} alone",
                      "Look at how the masks were exported: there is nothing to learn in them.")  # fmt: skip
        return
    empty = tuple(
        Place(file, f"all {next(iter(mask.pixels))}") for file, mask in masks.items() if len(mask.pixels) == 1
    )
    if empty:
        yield Finding("mask-empty", "warning" if 2 * len(empty) > len(masks) else "note",
                      f"{count(len(empty), 'mask')} of one value only", "Right if nothing is to be seen there; look at a few.", empty)  # fmt: skip
    unused = [
        f"{value} {name}" for value, name in declared.items() if value not in pixels and name != "ignore"
    ]
    if unused:
        yield Finding("class-unused", "warning", f"{count(len(unused), 'class')} of classes.txt in no mask: {', '.join(unused[:6])}",
                      "Remove the line, or look for the masks that should have it.")  # fmt: skip
    splits = {item.split for item in owners.values()}
    if "train" in splits and len(splits) > 1:
        unseen = [v for v in pixels if "train" not in where[v] and v not in ignored]
        if unseen and (declared or len(pixels) < 64):
            yield Finding("class-missing", "error", f"values in no mask of train: {', '.join(map(str, unseen[:6]))}",
                          "Split again, so that train has every class.")  # fmt: skip


def _key(file: str) -> Key:
    *folders, name = file.split("/")
    stem = composed(posixpath.splitext(name)[0])
    parts, in_folder = [], False
    for folder in folders:
        if match := IN_FOLDER.match(folder):
            in_folder = True
            folder = match.group(1)
        if folder and folder.lower() not in IMAGE_WORDS:
            parts.append(folder.lower())
    return Key(tuple(parts), stem, IN_NAME.sub(r"\1", stem), in_folder)


def _declared(folder: Folder, wrong: list[str]) -> dict:
    from course_utils.segmentation.folders import declared_classes as parse

    try:
        found = parse(folder.root / "classes.txt", wrong)
    except (OSError, ValueError) as error:
        wrong.append(f"classes.txt: {error}")
        return {}
    return {value if len(value) == 3 else value[0]: name for value, name in found.items()}


def _class_list(folder: Folder, wrong: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_declared(folder, wrong).values()))


def _is_coloured(declared: Mapping) -> bool:
    return any(isinstance(value, tuple) for value in declared)
