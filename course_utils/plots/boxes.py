"""Pictures with boxes drawn on them."""

from __future__ import annotations

from course_utils.plots.images import image
from course_utils.plots.style import COLOURS, LINES, array, describe


def boxes(
    picture, boxes, labels=None, classes=(), scores=None, ax=None, title: str = "", colour: int | None = None
):
    """Draw ``boxes`` (n, 4), as x1, y1, x2, y2 in pixels, on a picture; each class has a colour and a kind of line.

    ``labels`` (n,): class numbers. With ``scores`` (n,) each box carries its score. ``colour`` gives all boxes one colour of
    the palette. Lesson 14.

    >>> import numpy as np
    >>> boxes(np.zeros((3, 8, 8), np.uint8), [[1, 1, 5, 6]], title="one").get_title()
    'one'
    """
    from matplotlib.patches import Rectangle

    ax = image(picture, ax=ax, title=title)
    corners = array(boxes, "boxes").reshape(-1, 4)
    numbers = [0] * len(corners) if labels is None else [int(k) for k in labels]
    for i, (x1, y1, x2, y2) in enumerate(corners):
        k = numbers[i] if colour is None else colour
        style = {"edgecolor": COLOURS[k % 8], "linestyle": LINES[k % 3], "linewidth": 2, "fill": False}
        ax.add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, **style))
        if scores is not None:
            ax.text(x1, y1, f"{float(scores[i]):.2f}", color="white", fontsize=8, va="bottom",
                    bbox={"facecolor": COLOURS[k % 8], "pad": 0.5, "linewidth": 0})  # fmt: skip
    named = ", ".join(classes[k] for k in sorted(set(numbers)) if k < len(classes))
    describe(
        ax,
        f"{title + ': ' if title else ''}A picture with {len(corners)} boxes{': ' + named if named else ''}.",
    )
    return ax
