"""An annotated drive as a small animation: boxes with numbers, the lane, a map of the ground, a line of report."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from course_utils.errors import CourseError

COLOURS = [(230, 159, 0), (86, 180, 233), (240, 228, 66), (0, 158, 115), (213, 94, 0), (204, 121, 167)]
LANE = (0, 200, 140)
WIDE = 6.0  # metres: the map reaches so far to both sides, and AHEAD metres ahead
AHEAD = (3.0, 33.0)


def annotate(
    image, camera, *, boxes=(), ids=(), notes=(), lane=None, curve=None, line: str = "", scale: int = 3
):
    """One frame as it is shown: (H · scale + a line, W · scale, 3) uint8.

    ``image`` (H, W, 3) uint8; ``boxes`` (n, 4) with their ``ids`` (n,) and short ``notes``; ``lane`` (H, W), above 0 in the lane;
    ``curve`` (m, 2) m: the middle of the lane on the ground; ``line``: the report below the picture. At the upper right stands the
    picture seen from above, ``AHEAD`` metres from bottom to top. Raises :class:`CourseError` unless each box has an id.

    >>> from course_utils.synthetic.dashcam import Camera
    >>> annotate(np.zeros((60, 80, 3), np.uint8), Camera(size=(60, 80)), boxes=[[5, 5, 20, 30]], ids=[3]).shape
    (196, 240, 3)
    """
    if len(boxes) != len(ids):
        raise CourseError(
            f"{len(boxes)} boxes have {len(ids)} ids. Give ids=[...], one whole number for each box."
        )
    shown = np.asarray(image).copy()
    if lane is not None:
        lane = np.asarray(lane) > 0
        shown[lane] = shown[lane] * 0.65 + np.array(LANE) * 0.35
    height, width = shown.shape[:2]
    page = Image.new("RGB", (width * scale, height * scale + 16), "white")
    page.paste(Image.fromarray(shown).resize((width * scale, height * scale), Image.Resampling.BICUBIC))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    labels = []
    for i in np.argsort([box[3] for box in boxes], kind="stable"):  # the nearest, lowest in the picture, last
        box, colour = boxes[i], COLOURS[int(ids[i]) % len(COLOURS)]
        x1, y1, x2, y2 = (float(edge) * scale for edge in box)
        pen.rectangle([x1, y1, x2, y2], outline=colour, width=2)
        label = ": ".join([f"#{ids[i]}", *notes[i : i + 1]])
        left, top = min(max(x1, 0), width * scale - 6 * len(label)), max(y1 - 12, 0)
        while top >= 12 and any(
            _meet(pen.textbbox((left, top), label, font=font), other) for other in labels
        ):
            top -= 12
        labels.append(pen.textbbox((left, top), label, font=font))
        pen.rectangle(labels[-1], fill=(0, 0, 0))
        pen.text((left, top), label, fill=colour, font=font)
    above = _from_above(shown, camera, boxes, ids, curve, height * scale * 45 // 100)
    page.paste(above, (width * scale - above.width - 4, 4))
    pen.text((4, height * scale + 1), line, fill=(0, 0, 0), font=font)
    return np.asarray(page)


def _meet(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _from_above(image, camera, boxes, ids, curve, height: int) -> Image.Image:
    m = (AHEAD[1] - AHEAD[0]) / height
    size = (round(2 * WIDE / m), height)
    view = cv2.warpPerspective(np.ascontiguousarray(image), camera.birds_eye(AHEAD, WIDE, m), size)
    view = Image.fromarray(view)
    pen = ImageDraw.Draw(view)

    def place(ground):
        return [((WIDE - y) / m, (AHEAD[1] - x) / m) for x, y in ground]

    if curve is not None:
        pen.line(place(curve), fill=LANE, width=2)
    for box, number in zip(boxes, ids, strict=True):
        foot = camera.foot(box)
        if np.isfinite(foot).all():
            [(x, y)] = place([foot])
            pen.ellipse(
                [x - 3, y - 3, x + 3, y + 3], fill=COLOURS[int(number) % len(COLOURS)], outline=(0, 0, 0)
            )
    pen.rectangle([0, 0, size[0] - 1, size[1] - 1], outline=(255, 255, 255))
    return view


def write_webp(frames: Sequence[np.ndarray], path: str | Path, fps: float = 5.0, quality: int = 30) -> int:
    """Write frames (H, W, 3) uint8 as an animated WebP that repeats; returns its size in bytes.

    Raises :class:`CourseError` where there is no frame.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_webp([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)], Path(folder, "a.webp")) < 1000
    True
    """
    if not len(frames):
        raise CourseError("frames is empty. Give at least one picture (H, W, 3) uint8 to write.")
    first, *rest = [Image.fromarray(np.asarray(frame)) for frame in frames]
    out = io.BytesIO()
    first.save(
        out,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=round(1000 / fps),
        loop=0,
        quality=quality,
        method=4,
    )
    Path(path).write_bytes(out.getvalue())
    return len(out.getvalue())


def show_clip(path: str | Path, alt: str) -> None:
    """Display an animated WebP in the notebook, as a picture inside the page with ``alt`` for those who cannot see it."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    data = base64.b64encode(Path(path).read_bytes()).decode()
    html = f'<img alt="{alt}" src="data:image/webp;base64,{data}">'
    ipython.display.display({"text/html": html, "text/plain": "<clip>"}, raw=True)
