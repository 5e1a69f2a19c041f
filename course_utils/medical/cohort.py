"""The reader's own patients: a table of patient, label and path beside PNG, JPEG or DICOM pictures. Lesson 17."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils import data
from course_utils.data.builders import DataSet
from course_utils.data.folders import read_image
from course_utils.errors import DataError, choice
from course_utils.medical.dicom import read_slice, window

LAYOUT = (
    "Expected in it: a CSV table with the columns patient, label and path, one row for each picture, and the pictures "
    "(PNG, JPEG or DICOM), their paths counted from the table."
)


class Cohort:
    """Pictures of patients on disk: ``paths``, ``targets`` (N,) into ``classes``, ``patients`` (N,), ``splits`` (N,),
    and ``problems`` in words. A split is ``train``, ``val``, ``test``, or an empty text where none is given.
    """

    def __init__(self, paths, targets, classes, patients, splits, problems: list[str], name: str):
        self.paths, self.targets = list(paths), np.asarray(targets)
        self.patients, self.splits = np.asarray(patients), np.asarray(splits)
        self.classes, self.problems, self.name = tuple(classes), list(problems), name

    def __len__(self) -> int:
        return len(self.paths)

    def in_memory(self, size: int) -> DataSet:
        """All pictures as (N, 3, size, size) uint8, squeezed to a square; ``extra`` keeps ``patient`` and ``split``.

        A DICOM slice is rescaled and windowed by its header, or over its own range, padding aside, where the header has no window.
        """
        images = np.empty((len(self), size, size, 3), np.uint8)
        for i, path in enumerate(self.paths):
            picture = Image.fromarray(_pixels(path)).convert("RGB")
            images[i] = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
        pictures = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        extra = {"patient": self.patients, "split": self.splits}
        built = DataSet(pictures, torch.from_numpy(self.targets), self.classes, extra)
        built.name, built.split, built.source = self.name, "all", "own pictures"
        data.remember(built.name, built.source)
        return built


def read_cohort(path: str | Path) -> Cohort:
    """Read the table below ``path``; a row that cannot be used is left out and told by file and line in ``problems``.

    Raises :class:`DataError` if there is no table, if a patient column is missing, or if fewer than two classes remain.
    ``course inspect PATH --task medical`` says more: such as labels that differ by case alone, which are classes of their own here.
    """
    from course_utils.inspection.folder import scan
    from course_utils.inspection.tables import tables

    folder = scan(path)
    layout = tables(folder)
    if layout is None:
        raise DataError(f"{path} holds no table that names pictures. {LAYOUT}")
    problems = [f"{place}: {f.title}" for f in layout.findings if f.level == "error" for place in f.places]
    problems += [
        f"{item.source}:{item.line}: {item.file}: no patient; left out"
        for item in layout.items
        if "patient" not in item.groups
    ]
    kept = []
    for item in (item for item in layout.items if "patient" in item.groups):
        try:
            _pixels(folder.root / item.file)
        except (DataError, OSError, ValueError) as error:
            problems.append(f"{item.source}:{item.line}: {item.file}: {str(error)[:160]}; left out")
            continue
        kept.append(item)
    classes = sorted({item.label.strip() for item in kept})
    if len(classes) < 2:
        told = "; ".join(problems[:3]) or "no problem in the rows"
        raise DataError(f"{path}: usable rows have {len(classes)} class(es): {classes}. {told}. {LAYOUT}")
    return Cohort(
        [folder.root / item.file for item in kept],
        [classes.index(item.label.strip()) for item in kept],
        classes,
        [item.groups["patient"] for item in kept],
        [item.split for item in kept],
        problems,
        folder.root.resolve().name,
    )


def _pixels(path: Path) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8."""
    from pydicom.misc import is_dicom

    if not is_dicom(path):
        return read_image(path)
    values, _, _, header = read_slice(path)
    level, width = header.get("WindowCenter"), header.get("WindowWidth")
    if level is not None and width is not None:
        level, width = (float(np.ravel(v)[0]) for v in (level, width))  # a header may hold several windows
        grey = _windowed(values, level, width, header.get("VOILUTFunction") or "LINEAR")
    elif header.get("VOILUTSequence"):
        raise DataError(
            "its greys are in a table, VOILUTSequence. Valid: a window, WindowCenter and WindowWidth"
        )
    else:
        inside = values[~_padding(header)]
        low, high = (inside.min(), inside.max()) if inside.size else (0, 1)
        grey = np.clip((values - low) / max(float(high - low), 1e-9), 0, 1)
    if header.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    return (255 * grey).round().astype(np.uint8)


def _windowed(values: np.ndarray, level: float, width: float, function: str) -> np.ndarray:
    """Grey from 0 to 1 by one of the standard's three functions (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    from scipy.special import expit

    choice(function, ("LINEAR", "LINEAR_EXACT", "SIGMOID"), "VOILUTFunction", DataError)
    if function == "SIGMOID":
        return expit(4 * (values - level) / max(width, 0.001))
    if function == "LINEAR_EXACT":
        level, width = level + 0.5, width + 1
    return window(values, level, max(width, 1.001))


def _padding(header) -> np.ndarray:
    """Where a picture is filled up beyond what was scanned, (H, W) bool (DICOM PS3.3, C.7.5.1.1.2)."""
    stored, first = header.pixel_array, header.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, bool)
    last = header.get("PixelPaddingRangeLimit")
    low, high = np.sort(np.array([first, first if last is None else last]).astype(stored.dtype))
    return (stored >= low) & (stored <= high)
