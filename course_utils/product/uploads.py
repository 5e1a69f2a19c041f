"""Pictures from strangers: every limit is checked before the work that it limits is done."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from course_utils.errors import CourseError
from course_utils.upright import upright_rgb

FORMATS = ("JPEG", "PNG")
MAX_SCANS = 64  # of a progressive JPEG: each takes a few bytes, and as much work as the whole picture
MARK, MAX_EXIF = b"Exif\0\0", 65_536  # bytes: each of their entries may claim all the others as its value
MODES = ("1", "CMYK", "L", "LA", "P", "RGB", "RGBA", "YCbCr")  # 8 bits or fewer


@dataclass(frozen=True)
class Limits:
    """What a service accepts: ``body`` in bytes, ``side`` and ``pixels`` of the decoded picture, ``smallest`` side."""

    body: int = 8_000_000
    pixels: int = 16_000_000
    side: int = 8_192
    smallest: int = 16


class UploadError(CourseError):
    """A picture that is refused; ``status`` is the HTTP status that says why."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def read_upload(body: bytes, channels: int, limits: Limits = Limits()) -> np.ndarray:
    """Decode a PNG or JPEG file: bytes → (H, W, channels) uint8, upright.

    The size of the picture is read from the file's header; pixels are decoded only when it is within ``limits``. So a
    *decompression bomb*, a small file that unfolds to gigabytes, costs nothing. Of a JPEG's EXIF data 64 KB
    are read and of its list of further pictures nothing: their entries may all claim the same bytes.
    Raises :class:`UploadError`: 413 too large, 415 no PNG or JPEG of 8 bits, 422 empty, damaged or too small. Lesson 20.

    >>> read_upload(b"GIF89a", 1)
    Traceback (most recent call last):
    course_utils.product.uploads.UploadError: the body is not a PNG or JPEG picture. Send the file itself as the body.
    """
    if len(body) > limits.body:
        raise UploadError(413, f"the body has {len(body):,} bytes; the limit is {limits.body:,}.")
    if not body:
        raise UploadError(422, "the body is empty. Send the file itself as the body.")
    if body.startswith(b"\xff\xd8"):
        # Of a JPEG's EXIF segments only the first, of 64 KB at most, is read: Pillow would join them.
        head, mark, rest = body.partition(MARK)
        body = head + mark + rest.replace(MARK, b"Exif\0\1")
        # Nor is its list of further pictures (MPF), which is written like EXIF data and read before the size is known.
        body = re.sub(rb"(\xff\xe2..)MPF\0", lambda found: found[1] + b"MPF\1", body, flags=re.DOTALL)
    try:
        picture = Image.open(io.BytesIO(body), formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_large("more pixels than can be opened", limits) from None
    except Exception:  # a decoder meets any bytes at all, and raises what it likes
        raise UploadError(
            415, "the body is not a PNG or JPEG picture. Send the file itself as the body."
        ) from None
    with picture:
        if picture.format != "PNG" and (scans := body.count(b"\xff\xda")) > MAX_SCANS:
            raise UploadError(413, f"the picture has {scans:,} scans; the limit is {MAX_SCANS}.")
        width, height = picture.size
        if width * height > limits.pixels or max(width, height) > limits.side:
            raise _too_large(f"{width}×{height} pixels", limits)
        if min(width, height) < limits.smallest:
            raise UploadError(
                422, f"the picture has {width}×{height} pixels; each side needs {limits.smallest}."
            )
        if picture.mode not in MODES:
            raise UploadError(415, f"pixels of mode {picture.mode!r} are not read. Send 8 bits a channel.")
        try:
            picture.load()  # a PNG's EXIF data may stand behind its pixels
            picture.info.pop("Raw profile type exif", None)
            if len(picture.info.get("exif", b"")) > MAX_EXIF:
                raise UploadError(
                    413, f"the picture's EXIF data are too large; the limit is {MAX_EXIF:,} bytes."
                )
            pixels = np.array(upright_rgb(picture).convert("L" if channels == 1 else "RGB"))
        except UploadError:
            raise
        except Exception as error:  # as above
            raise UploadError(
                422, f"the picture is damaged and cannot be decoded: {str(error)[:80]}."
            ) from None
    return pixels.reshape(*pixels.shape[:2], channels)


def _too_large(what: str, limits: Limits) -> UploadError:
    return UploadError(
        413, f"the picture has {what}; the limit is {limits.pixels:,} pixels, {limits.side:,} a side."
    )
