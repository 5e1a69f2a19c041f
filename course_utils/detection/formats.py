"""COCO JSON, Pascal VOC and YOLO text as they stand in their files: every entry with its line, nothing judged yet."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from course_utils.errors import DataError


class PictureRow(NamedTuple):
    """A picture that a file names, at a line, with the width and height that it states, if any."""

    file: Path
    line: int
    name: str
    stated: tuple[int, ...] = ()


class BoxRow(NamedTuple):
    """A box as x1, y1, x2, y2, in pixels or (``relative``) in fractions of the picture, with the name of its class."""

    file: Path
    line: int
    picture: str
    box: tuple[float, ...]
    label: str
    relative: bool = False


class Found(NamedTuple):
    """All that the files of one format say; ``problems`` are ``(file, line, what)``."""

    pictures: list[PictureRow]
    boxes: list[BoxRow]
    classes: tuple[str, ...]
    problems: list[tuple[Path, int, str]]


def coco(files: Sequence[Path], others: Sequence[Path] = ()) -> Found:
    """COCO's format: one or more JSON files with ``images``, ``annotations`` (``bbox`` as x, y, width, height) and ``categories``.

    Raises :class:`DataError` for a file that is not JSON, unless none is COCO's and ``others`` may hold the boxes.
    """
    found, names, broken = Found([], [], (), []), {}, []
    for file in files:
        try:
            parts = _json_parts(file)
        except DataError as error:
            broken.append(error)
            continue
        if not {"images", "annotations", "categories"} <= set(parts):
            continue
        own = {str(entry.get("id")): str(entry.get("name")) for _, entry in parts["categories"]}
        names |= dict.fromkeys(own.values())
        pictures = {str(entry.get("id")): str(entry.get("file_name")) for _, entry in parts["images"]}
        found.pictures.extend(
            PictureRow(file, line, str(e.get("file_name")), _stated(e.get("width"), e.get("height")))
            for line, e in parts["images"]
        )
        for line, entry in parts["annotations"]:
            if entry.get("iscrowd") == 1:
                found.problems.append((file, line, "a crowd (iscrowd), not one object; left out"))
                continue
            box = _four(entry.get("bbox") or ())
            if box is None:
                found.problems.append(
                    (file, line, f"bbox is {entry.get('bbox')!r}, not four numbers; left out")
                )
                continue
            x, y, wide, high = box
            picture, kind = str(entry.get("image_id")), str(entry.get("category_id"))
            found.boxes.append(
                BoxRow(
                    file,
                    line,
                    pictures.get(picture, f"image_id {picture}"),
                    (x, y, x + wide, y + high),
                    own.get(kind, f"category_id {kind}"),
                )
            )
    if broken and (found.pictures or not others):
        raise broken[0]
    return found._replace(classes=tuple(names))


def voc(files: Sequence[Path], classes: Sequence[str] | None = None) -> Found:
    """Pascal VOC's format: one XML file a picture, with ``filename`` and ``object`` (``name``, ``bndbox`` as corners)."""
    found = Found([], [], (), [])
    for file in files:
        try:
            values = _xml_values(file)
        except (
            expat.ExpatError,
            LookupError,
            ValueError,
        ) as error:  # the last two: it names an encoding that there is not, or that expat does not read
            found.problems.append((file, getattr(error, "lineno", 1), f"not XML ({error}); left out"))
            continue
        named = next((v for path, _, v in values if path == "annotation/filename" and v), file.stem)
        size = {path.removeprefix("annotation/size/"): value for path, _, value in values}
        found.pictures.append(PictureRow(file, 1, named, _stated(size.get("width"), size.get("height"))))
        thing: dict[str, str] = {}
        for path, line, value in values:
            if path == "annotation/object":  # comes after its parts: a closing tag
                box = _four([thing.get(corner) for corner in ("xmin", "ymin", "xmax", "ymax")])
                if thing.get("difficult") == "1":
                    found.problems.append(
                        (file, line, "marked as difficult: unsure even for people; left out")
                    )
                elif box is None:
                    found.problems.append((file, line, f"the object {thing} has no four numbers; left out"))
                elif not thing.get("name"):
                    found.problems.append((file, line, "the object has no name; left out"))
                else:
                    found.boxes.append(BoxRow(file, line, named, tuple(box), thing["name"]))
                thing = {}
            elif path.startswith("annotation/object/") and path.count("/") <= 3:
                part = path.removeprefix("annotation/object/")
                if part in ("name", "difficult") or part.startswith("bndbox/"):
                    thing[part.rpartition("/")[2]] = value
    return found._replace(classes=tuple(classes or sorted({row.label for row in found.boxes})))


def yolo(files: Sequence[Path], lists: Sequence[Path], root: Path) -> Found:
    """YOLO's format: one text file a picture, a line ``class x y width height`` a box, in fractions, (x, y) the centre.

    A confidence may follow; a polygon, ``class x y x y x y …``, gives the box around it. The first of
    ``lists`` that has names names the classes; where it has a ``kpt_shape`` too, keypoints follow each box instead. Raises
    :class:`DataError` if none has, or one of them cannot be read.
    """
    classes, keypoints = _yolo_classes(lists, root)
    found = Found([], [], classes, [])
    for file in files:
        picture = file.stem  # the ending is that of the picture which is there
        found.pictures.append(PictureRow(file, 1, picture))
        rows = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        for line, text in enumerate(rows, start=1):
            if not text.strip():
                continue
            kind, *rest = text.split()
            corners = _yolo_corners(rest[:4] if keypoints else rest)
            if corners is None:
                found.problems.append(
                    (file, line, f"{text.strip()!r} is not 'class x y width height'; left out")
                )
                continue
            known = kind.isdecimal() and int(kind) < len(found.classes)
            label = found.classes[int(kind)] if known else f"number {kind}"
            found.boxes.append(BoxRow(file, line, picture, corners, label, relative=True))
    return found


def _yolo_corners(words: list[str]) -> tuple[float, ...] | None:
    """x1, y1, x2, y2 of a line without its class, or ``None``."""
    polygon = len(words) >= 6 and len(words) % 2 == 0
    numbers = _numbers(words) if polygon or len(words) in (4, 5) else None
    if numbers is None:
        return None
    if polygon:
        points = np.reshape(numbers, (-1, 2))
        return (*points.min(0).tolist(), *points.max(0).tolist())
    x, y, wide, high = numbers[:4]
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def _yolo_classes(lists: Sequence[Path], root: Path) -> tuple[tuple[str, ...], bool]:
    for file in lists:
        names, keypoints = _yolo_names(file)
        for name, count in Counter(names).items():
            if count > 1:
                raise DataError(
                    f"{file}: {count} classes have the name {name!r}. Give each a name of its own, then try again."
                )
        if names:
            return names, keypoints
    if lists:
        raise DataError(
            f"{lists[0]}: no names. Write them in the order of the numbers: names: [first, second, …], or one a line in classes.txt."
        )
    raise DataError(
        f"{root}: YOLO's class numbers need names. Put classes.txt there, one name a line, or data.yaml."
    )


def _yolo_names(file: Path) -> tuple[tuple[str, ...], bool]:
    """The names that one file lists in the order of their numbers, none if it lists none; and whether keypoints follow a box."""
    if file.suffix.lower() in (".txt", ".names"):
        return tuple(line.strip() for line in _text(file).splitlines() if line.strip()), False
    import yaml

    try:
        document = yaml.safe_load(_text(file))
    except yaml.YAMLError as error:
        raise DataError(f"{file}: not YAML ({error}). Mend the file, then try again.") from None
    document = document if isinstance(document, dict) else {}
    names = document.get("names")
    if isinstance(names, dict):
        names = _by_number(names, file)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else (), "kpt_shape" in document


def _by_number(names: dict, file: Path) -> tuple[str, ...]:
    """Names in the order of their numbers; a number that is left out gets a name that says so."""
    try:
        numbered = {int(number): str(name) for number, name in names.items()}
    except (TypeError, ValueError):
        raise DataError(
            f"{file}: names has the keys {list(names)[:5]}. Valid: whole numbers from 0, each with its name."
        ) from None
    if min(numbered, default=0) < 0:
        raise DataError(f"{file}: names has the number {min(numbered)}. Valid: whole numbers from 0.")
    return tuple(numbered.get(i, f"number {i}") for i in range(max(numbered, default=-1) + 1))


def _json_parts(file: Path) -> dict[str, list[tuple[int, dict]]]:
    """The lists of objects at the top of a JSON file: key → (line, object). Raises :class:`DataError` with the line."""
    text = _text(file)
    decoder, parts, here = json.JSONDecoder(), {}, 0
    try:
        if not isinstance(decoder.decode(text), dict):
            return {}
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file}:{error.lineno}: not JSON ({error.msg}). Mend the file, then try again."
        ) from None
    except RecursionError:
        raise DataError(
            f"{file}: lists too deep inside one another. Mend the file, then try again."
        ) from None
    here = text.index("{") + 1
    while (here := _skip(text, here)) < len(text) and text[here] == '"':
        key, here = decoder.raw_decode(text, here)
        here = _skip(text, here)
        if text[here] != "[":
            _, here = decoder.raw_decode(text, here)
            continue
        here, rows = _skip(text, here + 1), []
        line, counted = 1, 0
        while text[here] != "]":
            line, counted = line + text.count("\n", counted, here), here
            entry, here = decoder.raw_decode(text, here)
            rows.append((line, entry))
            here = _skip(text, here)
        parts[key], here = [row for row in rows if isinstance(row[1], dict)], here + 1
    return parts


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: byte {error.start} is not UTF-8. Save it as UTF-8, then try again."
        ) from None


def _skip(text: str, here: int) -> int:
    """The next place that is not white, a comma or a colon."""
    return re.compile(r"[\s,:]*").match(text, here).end()


def _xml_values(file: Path) -> list[tuple[str, int, str]]:
    """Path, line where it begins, and text of each element of an XML file, in the order in which they end."""
    values, path, starts, texts = [], [], [], []
    parser = expat.ParserCreate()

    def begin(name, _):
        path.append(name)
        starts.append(parser.CurrentLineNumber)
        texts.append("")

    def end(_):
        values.append(("/".join(path), starts.pop(), texts.pop().strip()))
        path.pop()

    def text(part):
        texts[-1] += part

    def refuse(*_):
        raise DataError(
            f"{file}:{parser.CurrentLineNumber}: a DOCTYPE, which can name other files and is no part of Pascal VOC. "
            "Remove it, then try again."
        )

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(file.read_bytes(), True)
    return values


def _stated(*sides) -> tuple[int, ...]:
    numbers = _numbers(sides)
    return tuple(map(int, numbers)) if numbers and all(0 < n < math.inf for n in numbers) else ()


def _four(values) -> list[float] | None:
    """Four numbers, or ``None``."""
    numbers = _numbers(values)
    return numbers if numbers and len(numbers) == 4 else None


def _numbers(values) -> list[float] | None:
    try:
        return [float(v) for v in values]
    except (TypeError, ValueError):
        return None
