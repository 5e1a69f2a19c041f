"""Read every picture once, in threads: is it whole, how large, which kind of pixels, and a fingerprint of its looks."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from course_utils.data.folders import EXTENSIONS
from course_utils.upright import upright_rgb, value_range

DICOM = (".dcm", ".dicom")
SIDE = 64  # pixels of a fingerprint's side
MAX_BYTES = 512 * 2**20
ORIENTATION = 0x0112
FORMATS = {
    ".bmp": ("BMP", "DIB"),
    ".gif": ("GIF",),
    ".jfif": ("JPEG",),
    ".jpeg": ("JPEG", "MPO"),
    ".jpg": ("JPEG", "MPO"),
    ".pgm": ("PPM",),
    ".png": ("PNG",),
    ".ppm": ("PPM",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".webp": ("WEBP",),
}
FAULTS = {
    "corrupt": "it is damaged or cut short",
    "not-a-picture": "its content is not a picture",
    "empty-file": "it is empty (0 bytes)",
    "huge": "it is too large to be opened safely",
    "unreadable": "it cannot be opened",
    "no-decoder": "no decoder for its compression is installed",
}


@dataclass
class Picture:
    """What one picture file holds.

    ``size`` is (width, height) as stored and ``upright`` as the EXIF ``orientation`` (1 to 8) turns it; ``digest`` is
    the SHA-256 of the bytes; ``look`` a (64, 64) uint8 grey picture, ``None`` where the file could not be decoded, and
    then ``fault`` is a key of :data:`FAULTS` and ``reason`` says more. ``top`` is :func:`~course_utils.upright.value_range`.
    """

    file: str
    format: str = ""
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    orientation: int = 1
    frames: int = 1
    digest: str = ""
    look: np.ndarray | None = None
    fault: str = ""
    reason: str = ""
    top: float | None = None
    extra: dict | None = None

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) of the picture as it should be seen."""
        return self.size[::-1] if self.orientation >= 5 else self.size


def is_picture(file: str) -> bool:
    """Whether a name ends like a picture that the course reads.

    >>> is_picture("a/B.JPG"), is_picture("scan.dcm"), is_picture("notes.txt")
    (True, True, False)
    """
    return file.lower().endswith((*EXTENSIONS, *DICOM))


def read_all(root: Path, files: Iterable[str], progress: bool = True) -> dict[str, Picture]:
    """Read the pictures ``files`` below ``root`` in threads, with a bar on standard error; keys are the files."""
    files = list(files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken EXIF, decompression bombs: each is a finding
        with ThreadPoolExecutor(
            min(8, os.cpu_count() or 1)
        ) as pool:  # decoding releases the interpreter lock
            work = pool.map(lambda file: read(root, file), files)
            bar = tqdm(work, "pictures", len(files), disable=None if progress else True, leave=False)
            return {picture.file: picture for picture in bar}


def read(root: Path, file: str) -> Picture:
    """Read one picture file; whatever is wrong with it is said in the result, never raised."""
    picture = Picture(file)
    try:
        status = os.stat(root / file)
        if not stat.S_ISREG(status.st_mode):
            return failed(picture, "unreadable", "it is not a regular file")
        if status.st_size == 0:
            return failed(picture, "empty-file")
        if status.st_size > MAX_BYTES:
            return failed(picture, "huge", f"{status.st_size / 2**20:,.0f} MB")
        data = (root / file).read_bytes()
    except OSError as error:
        return failed(picture, "unreadable", error.strerror or str(error))
    picture.digest = hashlib.sha256(data).hexdigest()
    if file.lower().endswith(DICOM) or data[128:132] == b"DICM":
        from course_utils.inspection import dicom

        return dicom.fill(picture, data)
    try:
        _decode(picture, data)
    except (Image.DecompressionBombError, MemoryError) as error:
        return failed(picture, "huge", str(error))
    except Image.UnidentifiedImageError:
        return failed(picture, "not-a-picture")
    except (
        Exception
    ) as error:  # a damaged file makes a decoder raise anything: struct.error, SyntaxError, zlib.error
        return failed(picture, "corrupt", str(error))
    return picture


def _decode(picture: Picture, data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        picture.format, picture.mode, picture.size = image.format, image.mode, image.size
        picture.frames = (
            getattr(image, "n_frames", 1) if image.format in ("GIF", "TIFF", "WEBP", "PNG") else 1
        )
        image.draft("L", (2 * SIDE, 2 * SIDE))  # JPEG: decoded small, which still reads every byte
        image.load()  # before the EXIF data are read: a second load of a broken PNG raises nothing
        picture.orientation = _orientation(image)
        upright = ImageOps.exif_transpose(image) if picture.orientation != 1 else image
        picture.look, picture.top = look(upright), value_range(image)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF data can be broken in any way; the picture is whole all the same
        return 1
    return value if value in range(1, 9) else 1


def look(image: Image.Image) -> np.ndarray:
    """The fingerprint of a picture: squeezed to (64, 64) grey, uint8; deep pictures are scaled to their own range."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float32))
        low, high = float(values.min()), float(values.max())
        image = Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    if image.mode != "L" or "transparency" in image.info:
        image = upright_rgb(image).convert("L")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def failed(picture: Picture, fault: str, reason: str = "") -> Picture:
    """Note in ``picture`` what is wrong with it, and return it."""
    picture.fault = fault
    picture.reason = f"{FAULTS[fault]} ({reason})" if reason else FAULTS[fault]
    return picture
