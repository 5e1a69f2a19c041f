"""Open files of labels safely: what is wrong with them is collected as faults, never raised."""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

from course_utils.inspection.findings import Finding, Item, Place, count
from course_utils.inspection.folder import Folder

MAX_BYTES = {
    ".json": 512 * 2**20,
    ".csv": 256 * 2**20,
    ".tsv": 256 * 2**20,
    ".xml": 8 * 2**20,
    ".txt": 8 * 2**20,
}
DEEPEST = 50  # elements of an XML file inside one another
FAULTS = {
    "broken-file": ("error", "file of labels that cannot be read", "Export it again, or mend it at the place named."),
    "bad-box": ("error", "box that is not four finite numbers", "Write the four numbers of the box, or remove it."),
    "unknown-class": ("error", "box of an unknown class", "Correct the class, or add it to the list of classes."),
    "missing-picture": ("error", "entry about a picture that is not there", "Copy the picture here, or remove the entry; large and small letters differ."),
    "outside-path": ("error", "path that leads out of the folder; it was not opened", "Write paths relative to the file of labels, and copy the pictures there."),
    "box-alone": ("error", "box whose picture is not listed", "Add the picture to images, or remove the box."),
    "class-names": ("error", "list of class names is missing", "Write classes.txt with one name a line, or names: in data.yaml."),
    "class-list": ("error", "class that is named twice or has no name", "Give each class one number and one name."),
    "two-splits": ("error", "picture that is listed in two splits", "Keep it in one: the score on pictures that were trained on says nothing about new ones."),
    "prediction": ("warning", "box with a confidence: a prediction, not a label", "Look whether a person has checked it; a net learns the mistakes of the net that made it."),
    "repeated-row": ("warning", "picture that is listed more than once", "Keep one entry for each picture."),
    "unlisted": ("warning", "picture that has no entry", "Label it, or add an empty entry if it shows nothing: which of the two, only you know."),
    "left-out": ("note", "box of a crowd or a difficult object", "Training leaves it out. Draw the objects one by one if they should count."),
}  # fmt: skip


class Faults:
    """Collects places by code and turns them into findings; ``kinds`` maps a code to level, words and advice."""

    def __init__(self, kinds: Mapping[str, tuple[str, str, str]] = FAULTS):
        self.kinds, self.places = kinds, defaultdict(list)

    def add(self, code: str, file: str, note: str = "", line: int = 0, picture: str = "") -> None:
        """Note a place under ``code``, a key of ``kinds``."""
        self.places[code].append(Place(file, note, line, picture))

    def path(self, file: str, given: str, why: str, line: int = 0) -> None:
        """Note a path that :meth:`Folder.find` could not resolve, with its reason ``why``."""
        code = "outside-path" if "out of" in why or "absolute" in why else "missing-picture"
        self.add(code, file, f"{given!r}: {why}", line)

    def findings(self) -> list[Finding]:
        """One finding for each code that was noted, in the order of ``kinds``."""
        return [
            Finding(code, level, _plural(len(self.places[code]), words), advice, tuple(self.places[code]))
            for code, (level, words, advice) in self.kinds.items()
            if self.places[code]
        ]


class Element(NamedTuple):
    """An XML element: its name, its line, its children and its pieces of text."""

    tag: str
    line: int
    children: list
    words: list

    def all(self, tag: str) -> Iterator[Element]:
        """The children with this name."""
        return (child for child in self.children if child.tag == tag)

    def text(self, path: str) -> str:
        """The text of the first element at this path, or an empty text."""
        first, _, rest = path.partition("/")
        child = next(self.all(first), None)
        return "" if child is None else child.text(rest) if rest else "".join(child.words).strip()


def xml(folder: Folder, file: str, faults: Faults) -> Element | None:
    """The root element of a file; a document type, which could define entities, is refused."""
    data = content(folder, file, faults)
    if data is None:
        return None
    top = Element("", 0, [], [])
    stack = [top]
    parser = expat.ParserCreate()

    def start(tag, _):
        if len(stack) > DEEPEST:
            raise ValueError(f"elements lie more than {DEEPEST} deep")
        stack[-1].children.append(Element(tag, parser.CurrentLineNumber, [], []))
        stack.append(stack[-1].children[-1])

    def refuse(*_):
        raise ValueError("it has a DOCTYPE, which can hide an entity bomb; remove that line")

    parser.StartElementHandler, parser.EndElementHandler = start, lambda _: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].words.append(text)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError: an unknown encoding
        faults.add("broken-file", file, str(error), parser.CurrentLineNumber)
        return None
    return top.children[0]


def json_document(folder: Folder, file: str, faults: Faults):
    """What a JSON file holds, or ``None``."""
    data = content(folder, file, faults)
    try:
        return None if data is None else json.loads(data)
    except json.JSONDecodeError as error:
        faults.add("broken-file", file, f"{error.msg}, column {error.colno}", error.lineno)
    except (ValueError, RecursionError) as error:
        faults.add("broken-file", file, f"{type(error).__name__}: {error}"[:160])
    return None


def content(folder: Folder, file: str, faults: Faults) -> bytes | None:
    """The bytes of a file that is not too large, or ``None``."""
    path, ending = folder.root / file, posixpath.splitext(file)[1].lower()
    limit = MAX_BYTES.get(ending, 2**20)
    try:
        if path.stat().st_size <= limit:
            return path.read_bytes()
        faults.add("broken-file", file, f"larger than {limit // 2**20} MB")
    except OSError as error:
        faults.add("broken-file", file, error.strerror or str(error))
    return None


def lines(folder: Folder, file: str, faults: Faults) -> list[str]:
    """The lines of a text in UTF-8, none where it cannot be read."""
    data = content(folder, file, faults) or b""
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        faults.add("broken-file", file, f"byte {error.start} is not UTF-8")
        return []


def head(folder: Folder, file: str) -> bytes:
    """The first 2,000 bytes of a file."""
    try:
        with open(folder.root / file, "rb") as stream:
            return stream.read(2000)
    except OSError:
        return b""


def unlisted(folder: Folder, items: dict[str, Item], faults: Faults) -> None:
    """Note the pictures that have no entry."""
    for file in folder.pictures:
        if file not in items:
            faults.add("unlisted", file)


def field(entry, name: str):
    """A field of a JSON object that can be a key, else ``None``."""
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, (int, str)) else None


def four_numbers(values) -> tuple[float, ...] | None:
    """Four finite numbers, or ``None``."""
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == 4 and all(map(math.isfinite, found)) else None


def _plural(n: int, words: str) -> str:
    noun, rest = re.match(r"(\w+)(.*)", words).groups()
    if n == 1:
        return f"1 {noun}{rest}"
    for one, many in ((" is not", " are not"), (" is ", " are "), (" has ", " have "), (" leads ", " lead ")):
        rest = rest.replace(one, many)
    return count(n, noun) + rest
