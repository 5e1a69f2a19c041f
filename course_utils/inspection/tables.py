"""Read CSV tables of paths and labels, with columns for split, patient, identity and video."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterator

from course_utils.inspection.findings import Item, Layout, count
from course_utils.inspection.folder import Folder, split_of
from course_utils.inspection.pictures import is_picture
from course_utils.inspection.sources import Faults, content, unlisted

COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id", "image_index", "img", "picture"),
    "label": ("label", "class", "class_name", "category", "target", "diagnosis", "finding", "finding_labels", "dx", "y"),
    "split": ("split", "set", "subset", "partition"),
    "patient": ("patient", "patient_id", "patientid", "subject", "subject_id", "case", "case_id"),
    "identity": ("identity", "person", "person_id", "identity_id"),
    "video": ("video", "video_id", "sequence", "sequence_id", "clip", "clip_id", "scene"),
}  # fmt: skip
MISSING = ("", "nan", "na", "n/a", "null", "?")
FAULTS = {
    "broken-file": ("error", "place where the table is broken", "Save it again as CSV in UTF-8, and look at these lines in a text editor."),
    "no-label-column": ("error", "table that has no column of labels", f"Name one of its columns {', '.join(COLUMNS['label'][:4])}."),
    "bad-row": ("error", "row with the wrong number of cells", "Put text that holds the separator into double quotes, and fill the missing cells."),
    "outside-path": ("error", "path that leads out of the folder; it was not opened", "Write paths relative to the folder of the table, and copy the pictures there."),
    "missing-picture": ("error", "row about a picture that is not there", "Correct the path (it counts from the table's folder; large and small letters differ), or remove the row."),
    "no-label": ("error", "row without a label", "Fill the label in, or remove the row."),
    "contradiction": ("error", "row about a picture that another row labels or splits differently", "Decide which is right, and keep one row for each picture."),
    "unknown-split": ("error", "row with an unknown split", "Write train, val or test."),
    "no-group": ("warning", "row without its patient, identity or video", "Fill it in: without it these pictures can land on both sides of a split."),
    "repeated-row": ("warning", "row that repeats another", "Keep one row for each picture."),
    "unlisted": ("warning", "picture that no row names", "Add a row for it to the table, or remove the picture: it will not be used."),
}  # fmt: skip
GROUPS = ("patient", "identity", "video")


def tables(folder: Folder) -> Layout | None:
    """Understand CSV or TSV tables with a column of paths; the name of a file may say its split (``train.csv``).

    A table without a header holds path and label in its first two columns. Paths count from the table's folder or the
    root; a name that only one picture has needs neither folder nor ending.
    """
    faults, items, files, kinds = Faults(FAULTS), {}, [], set()
    for file in folder.ending(".csv", ".tsv"):
        own = Faults(FAULTS)
        columns = _read(folder, file, own, items)
        if columns:
            files.append(file)
            kinds |= set(columns)
            for code, places in own.places.items():
                faults.places[code] += places
    if not files:
        return None
    if items:
        unlisted(folder, items, faults)
    words = " and ".join(kind for kind in ("split", *GROUPS) if kind in kinds)
    name = f"CSV table{f' with {words}' if words else ''}: {', '.join(files[:3])}"
    return Layout(name, "classes", list(items.values()), faults.findings())


def _read(folder: Folder, file: str, faults: Faults, items: dict[str, Item]) -> dict[str, int]:
    """Read one table into ``items``; returns where its columns are, none where it is no table of pictures."""
    text = _text(folder, file, faults)
    rows = _rows(text, file, faults)
    _, first = next(rows, (0, []))
    columns, width = _columns(first), len(first)
    if "path" not in columns:
        if not first or not is_picture(first[0].strip()):
            return {}
        columns, rows = {"path": 0, "label": 1}, _rows(text, file, faults)
    if "label" not in columns and "identity" in columns:
        columns["label"] = columns["identity"]
    if columns.get("label", width) >= width:
        faults.add("no-label-column", file, f"columns: {', '.join(first)}"[:160], 1)
        return columns
    for line, row in rows:
        if len(row) != width:
            faults.add("bad-row", file, f"{count(len(row), 'cell')} instead of {width}", line)
        if len(row) > max(columns["path"], columns["label"]):
            item = _item(folder, file, line, row, columns, faults)
            if item and (other := items.setdefault(item.file, item)) is not item:
                same = (other.label.strip(), other.split) == (item.label.strip(), item.split)
                note = f"{item.file}: {item.label.strip()} {item.split}".rstrip()
                note += f"; {other.source}:{other.line}: {other.label.strip()} {other.split}".rstrip()
                faults.add("repeated-row" if same else "contradiction", file, note, line, item.file)
    return columns


def _item(folder, file, line, row, columns, faults) -> Item | None:
    cell = {kind: row[at].strip() if at < len(row) else "" for kind, at in columns.items()}
    path, why = folder.find(cell["path"], posixpath.dirname(file))
    if path is None:
        faults.path(file, cell["path"], why, line)
        return None
    if cell["label"].lower() in MISSING:
        faults.add("no-label", file, f"{path}: the label is {cell['label']!r}", line, path)
        return None
    split = cell.get("split", "")
    if split and not split_of(split):
        faults.add("unknown-split", file, repr(split), line, path)
    groups = {kind: cell[kind] for kind in GROUPS if cell.get(kind, "").lower() not in MISSING}
    for kind in GROUPS:
        if kind in cell and kind not in groups:
            faults.add("no-group", file, f"{path}: no {kind}", line, path)
    label = row[columns["label"]]  # as written: a space in front or behind is a finding
    return Item(
        path,
        split_of(split) or split or split_of(posixpath.basename(file)),
        label,
        groups,
        source=file,
        line=line,
    )


def _text(folder: Folder, file: str, faults: Faults) -> str:
    data = content(folder, file, faults) or b""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(
            "broken-file", file, f"byte {error.start} is not UTF-8", data.count(b"\n", 0, error.start) + 1
        )
        return data.decode("latin-1")


def _rows(text: str, file: str, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each row that is not empty, split at the separator that the header uses most."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = max("\t,;", key=header.count)
    spaces = separator not in header
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=" " if spaces else separator, skipinitialspace=spaces
    )
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        faults.add("broken-file", file, str(error), reader.line_num)


def _columns(header: list[str]) -> dict[str, int]:
    names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in header]
    found = {}
    for kind, valid in COLUMNS.items():
        at = next((names.index(name) for name in valid if name in names), None)
        if at is not None:
            found[kind] = at
    return found
