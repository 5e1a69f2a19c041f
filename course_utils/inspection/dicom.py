"""DICOM files: pixels, patient, modality, and what in the header changes the pixels' meaning or names a person."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils.inspection.classes import class_folders
from course_utils.inspection.findings import Finding, Item, Layout, Place, count
from course_utils.inspection.folder import Folder, split_of
from course_utils.inspection.pictures import Picture, failed, look

NOT_NAMES = ("", "anonymous", "anonymized", "anonymised", "unknown", "none", "deidentified")


def series(folder: Folder) -> Layout | None:
    """Understand a folder of DICOM files, in class folders or not; the patients come from the headers."""
    files = folder.dicoms
    if not files:
        return None
    if (classed := class_folders(folder)) and len({item.label for item in classed.items}) > 1:
        classed.format = f"DICOM in {classed.format}"
        return classed
    return Layout(
        "DICOM without labels", "classes", [Item(file, split_of(file.rpartition("/")[0])) for file in files]
    )


def fill(picture: Picture, data: bytes) -> Picture:
    """Read a DICOM file from its bytes into ``picture``; what is wrong with it is said there, never raised."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    picture.format = "DICOM"
    try:
        header = pydicom.dcmread(io.BytesIO(data))
        picture.extra = _header(header)
        if "PixelData" not in header:
            return failed(
                picture,
                "not-a-picture",
                f"a DICOM file of modality {picture.extra['modality']} without pixels",
            )
        picture.size = (int(header.Columns), int(header.Rows))
        picture.frames = int(header.get("NumberOfFrames") or 1)
        pixels = picture.size[0] * picture.size[1] * picture.frames
        if Image.MAX_IMAGE_PIXELS and pixels > 4 * Image.MAX_IMAGE_PIXELS:
            return failed(picture, "huge", f"{pixels:,} pixels in {count(picture.frames, 'frame')}")
        picture.mode = str(header.PhotometricInterpretation)
        picture.look = look(_grey(header))
    except InvalidDicomError:
        return failed(picture, "not-a-picture", "no DICOM header")
    except Exception as error:  # a damaged file makes the reader raise anything
        picture.look = None
        lacks = "missing dependencies" in str(error) or isinstance(error, NotImplementedError)
        words = " ".join(str(error).split())[:160]
        return failed(picture, "no-decoder" if lacks else "corrupt", words)
    return picture


def pixels(path: Path) -> np.ndarray:
    """The first frame as (H, W, 3) uint8, scaled to its own range, MONOCHROME1 turned so that bright means dense."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(_grey(pydicom.dcmread(path)).convert("RGB"))


def groups(layout: Layout, pictures: Mapping[str, Picture]) -> None:
    """Give every item the patient that its header names, unless a table names one."""
    for item in layout.items:
        header = pictures[item.file].extra
        if header and header["patient"].lower() not in NOT_NAMES:
            item.groups.setdefault("patient", header["patient"])


def findings(pictures: Mapping[str, Picture]) -> Iterator[Finding]:
    """Names of patients, mixed modalities, inverted grey values, values not yet rescaled, text in the pixels."""
    headers = [picture for picture in pictures.values() if picture.extra]
    files = [picture for picture in headers if picture.look is not None]
    named = [p for p in headers if _named(p.extra)]
    if named:
        yield Finding(
            "dicom-name",
            "warning",
            f"{count(len(named), 'DICOM file')} with the name or birth date of a patient",
            "De-identify them before they leave the hospital (lesson 17); replace the names by codes.",
            tuple(Place(p.file, "PatientName or PatientBirthDate is filled in") for p in named),
        )
    burned = [p for p in files if p.extra["burned"] == "YES"]
    if burned:
        yield Finding(
            "dicom-burned-in",
            "warning",
            f"{count(len(burned), 'DICOM file')} with text burned into the pixels",
            "Cover or crop the text: it can name the patient, and the net can read the diagnosis from it.",
            tuple(Place(p.file) for p in burned),
        )
    for code, key, words, advice in DIFFER:
        told_apart = [picture for picture in files if picture.extra[key] != "colour"]
        values = Counter(picture.extra[key] for picture in told_apart)
        if len(values) > 1:
            usual = values.most_common(1)[0][0]
            told = ", ".join(f"{value or 'none'} {n:,}" for value, n in values.most_common(5))
            odd = (Place(p.file, p.extra[key] or "none") for p in told_apart if p.extra[key] != usual)
            yield Finding(code, "warning", f"{words}: {told}", advice, tuple(odd))


DIFFER = (
    ("dicom-modality", "modality", "modalities are mixed", "Train on one, or make sure that the modality does not tell the label."),
    ("dicom-monochrome", "photometric", "grey values run in both directions", "Invert MONOCHROME1 when reading: there, the lowest value is white."),
    ("dicom-rescale", "rescale", "rescale slopes and intercepts differ", "Apply slope and intercept before windowing (lesson 17), so that a value means the same in each file."),
)  # fmt: skip


def _named(extra: dict[str, str]) -> bool:
    return bool(extra["born"]) or extra["name"].lower() not in (*NOT_NAMES, extra["patient"].lower())


def _header(header) -> dict[str, str]:
    def text(name: str) -> str:
        return str(header.get(name) or "").strip()

    def number(name: str, default: float) -> str:
        return f"{float(text(name) or default):g}"

    photometric = text("PhotometricInterpretation")
    rescale = f"{number('RescaleSlope', 1)}, {number('RescaleIntercept', 0)}"
    return {
        "patient": text("PatientID"),
        "name": text("PatientName").strip("^ "),
        "born": text("PatientBirthDate"),
        "modality": text("Modality"),
        "burned": text("BurnedInAnnotation"),
        "photometric": photometric if photometric.startswith("MONOCHROME") else "colour",
        "rescale": rescale if "RescaleSlope" in header else "",
    }


def _grey(header) -> Image.Image:
    values = np.asarray(header.pixel_array, np.float32)
    colour = int(header.get("SamplesPerPixel") or 1) > 1
    if values.ndim > (3 if colour else 2):
        values = values[0]
    low, high = float(values.min()), float(values.max())
    values = (values - low) * (255 / max(high - low, 1e-9))
    if header.PhotometricInterpretation == "MONOCHROME1":
        values = 255 - values
    return Image.fromarray(values.astype(np.uint8))
