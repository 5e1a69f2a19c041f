"""The reader's own pictures: a folder with one sub-folder for each class."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

import numpy as np
import torch
from PIL import Image

from course_utils import data
from course_utils.data.builders import DataSet
from course_utils.data.rows import chosen_rows
from course_utils.errors import DataError
from course_utils.upright import ONE_FACTOR, mixed_ranges, upright_rgb, value_range

EXTENSIONS = (".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
HIDDEN = ("Thumbs.db", "desktop.ini", "__MACOSX", "__pycache__", "@eaDir")
# The whole name of a folder that is a split.
SPLIT = re.compile(
    r"(seg_)?(train(ing)?|val(id(ation)?)?|dev|test(ing)?)([-_ ]?(set|data|images))?", re.IGNORECASE
)
LAYOUT = "Expected: a folder with one sub-folder for each class, and the pictures of that class inside it."


class ImageFolder(torch.utils.data.Dataset):
    """Pictures of any size, read one by one: ``self[i]`` is ``(image, target)``, a (3, H, W) uint8 tensor and an int.

    ``paths`` and ``targets`` (N,) int64 have one entry for each picture, ``classes`` are the names of the
    sub-folders in alphabetical order, ``skipped`` lists ``(path, reason)`` for what could not be used.
    """

    def __init__(
        self, paths: Sequence[Path], targets, classes: Sequence[str], skipped=(), name: str = "folder"
    ):
        self.paths, self.classes, self.skipped = list(paths), tuple(classes), list(skipped)
        self.targets = torch.as_tensor(targets, dtype=torch.int64)
        self.name, self.split, self.source, self.extra, self.card = name, "all", "own pictures", {}, None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(read_image(self.paths[index])).permute(2, 0, 1), int(self.targets[index])

    def __repr__(self) -> str:
        return (
            f"<{self.name}: {len(self):,} pictures, {len(self.classes)} classes, {len(self.skipped)} skipped>"
        )

    def subset(self, indices) -> ImageFolder:
        """The pictures at ``indices`` (integers or a boolean mask of length N), as a dataset of the same kind."""
        chosen = chosen_rows(indices, len(self))
        return ImageFolder(
            [self.paths[i] for i in chosen], self.targets[chosen], self.classes, self.skipped, self.name
        )

    def in_memory(self, size: int) -> DataSet:
        """All pictures as one (N, 3, size, size) uint8 tensor; each is resized to a square, bilinear, antialiased.

        The tensor has ``3 * N * size**2`` bytes; ``extra["path"]`` keeps the paths.
        """
        images = np.empty((len(self), size, size, 3), np.uint8)

        def read(i: int) -> None:
            images[i] = read_square(self.paths[i], size)

        _in_threads(read, range(len(self)))
        built = DataSet(
            torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),
            self.targets,
            self.classes,
            {"path": np.array([str(path) for path in self.paths])},
        )
        built.name, built.split, built.source = self.name, self.split, self.source
        return built


def image_folder(path: str | Path, note: bool = True) -> ImageFolder:
    """Find the pictures below ``path``, one sub-folder a class, and decode each once to leave out damaged ones.

    With ``note`` the folder counts as data that the run used, as ``record`` says it.

    Raises :class:`DataError` that names what was found if there are not two classes with readable pictures, or if pictures of
    more than 8 bits would be scaled by different ranges.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"DATA_DIR {str(path)!r} is {'a file' if root.exists() else 'not there'}. {LAYOUT}")
    folders = sorted(f for f in root.iterdir() if f.is_dir() and shown(f.name))
    splits = [f for f in folders if SPLIT.fullmatch(f.name)]
    if len(splits) > 1 or (splits and splits == folders):  # a class may be called train, beside bus
        names = ", ".join(f.name for f in splits)
        first = next((f for f in splits if "train" in f.name.lower()), splits[0])
        raise DataError(
            f"{root} holds the split folders {names}, not classes. Set DATA_DIR to one of them: {first}."
        )
    skipped = [
        (f, "lies outside the class folders") for f in sorted(root.iterdir()) if f.is_file() and shown(f.name)
    ]
    files = [
        [
            f
            for f in sorted(folder.rglob("*"))
            if (f.is_file() or f.is_symlink()) and shown(f.relative_to(root))
        ]
        for folder in folders
    ]
    every = [file for group in files for file in group]
    seen = _in_threads(_problem, every)
    reasons = {file: reason for file, (reason, _) in zip(every, seen, strict=True)}
    tops = Counter(top for _, top in seen if top)
    if len(tops) > 1:
        raise DataError(
            f"{root}: {mixed_ranges(tops)}. {ONE_FACTOR} `course inspect {root} --task classification` lists them."
        )
    skipped += [(file, reason) for file, reason in reasons.items() if reason]
    good = [[file for file in group if not reasons[file]] for group in files]
    skipped += [
        (folder, "no readable picture in this class")
        for folder, group in zip(folders, good, strict=True)
        if not group
    ]
    kept = [(folder.name, group) for folder, group in zip(folders, good, strict=True) if group]
    if len(kept) < 2:
        found = ", ".join(
            f"{f.name} ({len(g)} of {len(a)} files readable)"
            for f, g, a in zip(folders, good, files, strict=True)
        )
        raise DataError(
            f"{root}: two classes or more are needed. Found sub-folders: {found or 'none'}. {LAYOUT}"
        )
    paths = [file for _, group in kept for file in group]
    targets = [label for label, (_, group) in enumerate(kept) for _ in group]
    built = ImageFolder(paths, targets, [name for name, _ in kept], skipped, root.resolve().name)
    if note:
        data.remember(built.name, built.source)
    return built


def read_image(path) -> np.ndarray:
    """One picture as an (H, W, 3) uint8 array, upright as its EXIF orientation says, transparency on white.

    ``path``: a file's path, or a binary file. Raises :class:`DataError` that names the file if it is not there or cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            return np.array(upright_rgb(image))
    except Exception as error:  # a damaged file makes a decoder raise anything
        raise DataError(
            f"the picture {path} cannot be read: {_reason(error)}. Replace it, or remove it."
        ) from None


def read_square(path, size: int) -> np.ndarray:
    """One picture as a (size, size, 3) uint8 array: :func:`read_image`, resized to a square, bilinear, antialiased."""
    return np.array(Image.fromarray(read_image(path)).resize((size, size), Image.Resampling.BILINEAR))


def composed(text: str) -> str:
    """Letters with their accents in one: a Mac writes ü in a file's name as u and two dots.

    >>> len("u\u0308"), len(composed("u\u0308"))
    (2, 1)
    """
    return unicodedata.normalize("NFC", text)


def shown(path: str | PurePath) -> bool:
    """Whether a path relative to the data folder counts: no part of it begins with a dot or belongs to a program.

    >>> shown("cats/1.png"), shown("cats/.ipynb_checkpoints/1.png"), shown("__MACOSX/cats/1.png")
    (True, False, False)
    """
    return not any(part.startswith(".") or part in HIDDEN for part in PurePath(path).parts)


def _problem(path: Path) -> tuple[str | None, float | None]:
    """Why a file cannot be used, or ``None``; and its range. JPEGs are decoded at an eighth of their size, which reads every byte."""
    if path.suffix.lower() not in EXTENSIONS:
        return f"not a picture file: its name ends in {path.suffix or 'nothing'}", None
    try:
        with Image.open(path) as image:
            image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
            upright_rgb(image)  # EXIF data can be broken where the pixels are whole
            return None, value_range(image)
    except Exception as error:  # a damaged file makes a decoder raise anything
        return _reason(error), None


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    if isinstance(error, Image.UnidentifiedImageError):
        return "its content is not a picture"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels to be opened safely; scale it down, or cut it into tiles"
    return f"it is damaged or cut short ({error})"


def _in_threads(function, items) -> list:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter lock
        return list(pool.map(function, items))
