"""Read COCO JSON."""

from __future__ import annotations

import posixpath

from course_utils.inspection.findings import Box, Item, Layout
from course_utils.inspection.folder import Folder, split_of
from course_utils.inspection.sources import Faults, field, four_numbers, json_document, unlisted


def coco(folder: Folder) -> Layout | None:
    """Understand COCO JSON files; ``train``, ``val`` or ``test`` in a file's name or folder is its split."""
    faults, items, names, files = Faults(), {}, {}, []
    for file in folder.ending(".json"):
        document = json_document(folder, file, faults)
        if isinstance(document, dict) and {"images", "annotations"} <= set(document) and _of_boxes(document):
            files.append(file)
            _coco_file(folder, file, document, faults, items, names)
    broken = faults.places["broken-file"]
    if not files and not (broken and folder.pictures and not folder.ending(".xml", ".csv", ".txt")):
        return None
    named = ", ".join(files or [place.file for place in broken])
    unlisted(folder, items, faults)
    classes = tuple(dict.fromkeys(names.values()))
    return Layout(f"COCO JSON: {named}", "boxes", list(items.values()), faults.findings(), classes)


def _coco_file(folder, file, document, faults, items, names) -> None:
    own, by_id = {}, {}
    for category in _list(document.get("categories")):
        number, name = field(category, "id"), field(category, "name")
        named = isinstance(name, str) and name.strip() and name not in own.values()
        if number is None or number in own or not named:
            faults.add("class-list", file, f"category {category!r}"[:120])
        if number is not None:
            own.setdefault(number, str(name))
            if names.setdefault(number, str(name)) != str(name):
                faults.add(
                    "class-list", file, f"number {number} is {name!r} here, {names[number]!r} in another file"
                )
    for image in _list(document["images"]):
        number, given = field(image, "id"), field(image, "file_name")
        if number is None or not isinstance(given, str):
            faults.add("broken-file", file, f"an image without id or file_name: {image!r}"[:120])
            continue
        path, why = folder.find(given, posixpath.dirname(file), split_of(posixpath.basename(file)))
        if path is None:
            faults.path(file, given, why)
            by_id[number] = None
            continue
        stated = tuple(v for key in ("width", "height") if isinstance(v := image.get(key), int))
        split = split_of(posixpath.basename(file)) or split_of(posixpath.dirname(path))
        if path in items and "" != split != items[path].split != "":
            note = f"{path}: {split}; {items[path].source}: {items[path].split}"
            faults.add("two-splits", file, note, picture=path)
        elif path in items or number in by_id:
            faults.add("repeated-row", file, f"{path}, id {number}", picture=path)
        by_id[number] = items.setdefault(
            path, Item(path, split, boxes=[], source=file, stated=stated if len(stated) == 2 else None)
        )
    for position, entry in enumerate(_list(document["annotations"])):
        number, category = field(entry, "image_id"), field(entry, "category_id")
        name = f"annotation {field(entry, 'id') or f'number {position}'}"
        if number not in by_id:
            faults.add("box-alone", file, f"{name}: image_id {number}")
            continue
        item = by_id[number]
        numbers = four_numbers(entry.get("bbox"))
        about = item.file if item else ""
        if numbers is None:
            faults.add("bad-box", file, f"{name}: bbox {entry.get('bbox')!r}"[:120], picture=about)
        elif category not in own:
            valid = ", ".join(map(str, list(own)[:8]))
            faults.add(
                "unknown-class", file, f"{name}: category_id {category}; known: {valid}", picture=about
            )
        elif item and entry.get("iscrowd"):
            faults.add("left-out", file, f"{name}: iscrowd", picture=about)
        elif item:
            x, y, w, h = numbers
            item.boxes.append(Box(own[category], x, y, x + w, y + h, name=name))


def _of_boxes(document: dict) -> bool:
    """Captions come in the same form, and without boxes."""
    entries = _list(document["annotations"])
    boxes = any(isinstance(entry, dict) and "bbox" in entry for entry in entries)
    return boxes or "categories" in document or not entries


def _list(value) -> list:
    return value if isinstance(value, list) else []
