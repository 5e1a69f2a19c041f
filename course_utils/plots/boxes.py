"""Pictures with boxes drawn on them."""

from __future__ import annotations

import numpy as np

from course_utils.errors import CourseError
from course_utils.plots.images import image
from course_utils.plots.style import COLOURS, LINES, array, describe, ink


def boxes(
    picture, boxes, labels=None, classes=(), scores=None, ax=None, title: str = "", colour: int | None = None
):
    """Draw ``boxes`` (n, 4), as x1, y1, x2, y2 in pixels, on a picture; each class has a colour and a kind of line.

    ``labels`` (n,): class numbers. With ``scores`` (n,) each box carries its score. ``colour`` gives all boxes one colour of
    the palette. Raises :class:`CourseError` for other shapes, and for a label without a class. Lesson 14.

    >>> boxes(np.zeros((3, 8, 8), np.uint8), [[1, 1, 5, 6]], title="one").get_title()
    'one'
    """
    from matplotlib.patches import Rectangle

    corners, classes = array(boxes, "boxes"), list(classes)
    corners = corners.reshape(-1, 4) if corners.shape == (0,) else corners
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise CourseError(f"boxes has shape {corners.shape}. Valid: (n, 4), each box as x1, y1, x2, y2.")
    for what, values in (("labels", labels), ("scores", scores)):
        if values is not None and len(values) != len(corners):
            raise CourseError(f"there are {len(values)} {what} for {len(corners)} boxes. Give one for each.")
    numbers = [0] * len(corners) if labels is None else [int(k) for k in array(labels, "labels")]
    for k in numbers:
        if k < 0 or (classes and k >= len(classes)):
            valid = f"0 to {len(classes) - 1}" if classes else "from 0"
            raise CourseError(f"labels holds {k}. Valid: {valid}, the place of the class in classes.")
    ax = image(picture, ax=ax, title=title)
    height, width = ax.images[-1].get_array().shape[:2]
    for i, (x1, y1, x2, y2) in enumerate(corners):
        k = numbers[i] if colour is None else colour
        style = {"edgecolor": COLOURS[k % 8], "linestyle": LINES[k % 3], "linewidth": 2, "fill": False}
        ax.add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, **style))
        if scores is not None:
            # Above the left corner, or where the picture still has room for it.
            top, right = y1 < 0.1 * height, x1 > 0.85 * width
            at = np.clip((x2 if right else x1, y1), -0.5, (width - 0.5, height - 0.5))
            ax.text(*at, f"{float(scores[i]):.2f}", color=ink(COLOURS[k % 8]), fontsize=10,
                    va="top" if top else "bottom", ha="right" if right else "left",
                    bbox={"facecolor": COLOURS[k % 8], "pad": 0.5, "linewidth": 0})  # fmt: skip
    named = ", ".join(classes[k] for k in sorted(set(numbers)) if classes)
    describe(
        ax,
        f"{title + ': ' if title else ''}A picture with {len(corners)} boxes{': ' + named if named else ''}.",
    )
    return ax
