"""The files below a folder, which of them are pictures, and the paths that annotation files give for them."""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.data.folders import SPLIT, composed, shown
from course_utils.errors import DataError
from course_utils.inspection.findings import TASKS, Finding, Place, count
from course_utils.inspection.pictures import DICOM, is_picture


@dataclass
class Folder:
    """The files below ``root``: paths relative to it with forward slashes, in alphabetical order.

    ``empty`` are folders without any file below them, ``findings`` what could not be listed.
    """

    root: Path
    files: list[str]
    empty: list[str]
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self):
        self.dicoms = [file for file in self.files if _is_dicom(self.root, file)]
        dicoms = set(self.dicoms)
        self.pictures = [file for file in self.files if is_picture(file) or file in dicoms]
        self._known = {composed(file): file for file in self.files}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for file in self.pictures:
            name = posixpath.basename(file)
            for known in {name, posixpath.splitext(name)[0]}:
                self._by_name[composed(known)].append(file)

    def ending(self, *endings: str) -> list[str]:
        """The files whose names end so, in lower case."""
        return [file for file in self.files if file.lower().endswith(endings)]

    def named(self, name: str) -> list[str]:
        """The pictures with this name, in whatever folder; the ending may be left out."""
        return self._by_name.get(composed(name), [])

    def below(self, given: str) -> str | None:
        """The file whose path is the end of a path from elsewhere: ``data/images/a.png`` may be ``images/a.png`` here."""
        parts = composed(given.strip().replace("\\", "/")).split("/")
        ends = ("/".join(parts[i:]) for i in range(len(parts)))
        return next((self._known[end] for end in ends if end in self._known), None)

    def find(self, given: str, beside: str = "", split: str = "") -> tuple[str | None, str]:
        """The file that an annotation in the folder ``beside`` means by ``given``, and the reason where there is none.

        Tried in turn: beside the annotation, from the root, and the only picture whose path ends so, with or without its
        ending; of several the one nearest to the annotation, and of those the one in a folder of the ``split``. Of an
        absolute path outside the root only the name is used: nothing outside the root is ever opened.
        """
        text = composed(given.strip().replace("\\", "/"))
        root = composed(self.root.absolute().as_posix())
        if "\0" in text:
            return None, "its path holds a zero byte"
        if text.startswith(root + "/"):
            text = text[len(root) + 1 :]
        foreign = text.startswith("/") or re.match(r"[A-Za-z]:/", text)
        if foreign:
            text = posixpath.basename(text)
        inside = [posixpath.normpath(posixpath.join(folder, text)) for folder in (composed(beside), "")]
        for path in inside:
            if path in self._known:
                return self._known[path], ""
        if all(path == ".." or path.startswith("../") for path in inside):
            return None, "its path leads out of the folder"
        ends = [f for f in self.named(posixpath.basename(text)) if _ends(f, text)]
        near = [len(posixpath.commonpath([posixpath.dirname(f), beside])) for f in ends]
        best = [f for f, length in zip(ends, near, strict=True) if length == max(near)]
        if split and len(best) > 1:  # instances_train2017.json means the picture in train2017/
            best = [f for f in best if split_of(posixpath.dirname(f)) == split] or best
        if len(best) == 1:
            return best[0], ""
        if best:
            return None, f"{len(best)} pictures have this name: {', '.join(best[:3])}"
        return None, "its path is absolute and not in this folder" if foreign else "there is no such picture"


def _ends(file: str, text: str) -> bool:
    return any(f"/{path}".endswith(f"/{text}") for path in map(composed, (file, posixpath.splitext(file)[0])))


def scan(path: str | Path) -> Folder:
    """List a folder; hidden files are left out, links to folders are not followed.

    Raises :class:`DataError` if it is not there, is a file, cannot be listed, or holds no file.
    """
    root = Path(path).expanduser()
    valid = f"Give the folder that holds the pictures and their labels; tasks: {', '.join(TASKS)}."
    if not root.is_dir():
        state = "a file, not a folder" if root.exists() else "not there"
        raise DataError(f"{str(path)!r} is {state}. {valid}")
    files, folders, refused, links = [], [], [], []
    for where, below, names in os.walk(root, onerror=refused.append):
        below[:] = sorted(name for name in below if shown(name))
        inside = Path(where).relative_to(root).as_posix()
        prefix = "" if inside == "." else inside + "/"
        links += [prefix + name for name in below if os.path.islink(os.path.join(where, name))]
        folders += [prefix + name for name in below if prefix + name not in links]
        files += [prefix + name for name in names if shown(name)]
    if not files:
        why = f"it cannot be listed ({refused[0].strerror})" if refused else "there is no file in it"
        why += ", only links to folders, which are not followed" * bool(links)
        raise DataError(f"{str(path)!r} is empty: {why}. {valid}")
    files.sort()
    filled = {posixpath.dirname(file) for file in files}
    filled |= {folder for start in list(filled) for folder in _parents(start)}
    found = Folder(root, files, [folder for folder in folders if folder not in filled])
    if links:
        found.findings.append(
            Finding(
                "link",
                "warning",
                f"{count(len(links), 'link')} to folders, which the inspection does not follow",
                "Copy the folder here, or inspect the one that it leads to: what it holds was not looked at.",
                tuple(map(Place, links)),
            )
        )
    if refused:
        places = tuple(Place(Path(e.filename).relative_to(root).as_posix(), e.strerror) for e in refused)
        found.findings.append(
            Finding(
                "unreadable-folder",
                "error",
                f"{len(places)} folders cannot be listed",
                "Give yourself the right to read them (chmod -R u+rX FOLDER), or remove them.",
                places,
            )
        )
    return found


def split_of(text: str) -> str:
    """The split that a path means, or an empty text: its innermost folder that is called so, else the innermost with the word.

    >>> split_of("valid"), split_of("instances_train2017"), split_of("cats")
    ('val', 'train', '')
    """
    parts = text.lower().split("/")[::-1]
    words = [word for part in parts for word in re.findall(r"[a-z]+", part)]
    found = next(filter(is_split, [*parts, *words]), "")
    return next((name for name in ("train", "test") if name in found), found and "val")


def is_split(name: str) -> bool:
    """Whether a folder of this name is a split, and no class.

    >>> is_split("training_set"), is_split("dev"), is_split("trains")
    (True, True, False)
    """
    return bool(SPLIT.fullmatch(name))


def _is_dicom(root: Path, file: str) -> bool:
    """By its ending; hospitals also write names without one, and then four bytes tell."""
    name = posixpath.basename(file)
    if "." in name or name == "DICOMDIR":
        return name.lower().endswith(DICOM)
    try:
        with open(root / file, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _parents(folder: str):
    while folder:
        folder = posixpath.dirname(folder)
        yield folder
