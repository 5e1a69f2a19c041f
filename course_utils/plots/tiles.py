"""Finished pictures side by side, each under its caption: what a control shows where it cannot be moved."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils.plots.style import DPI

MAX_WIDTH = 1000  # pixels
_GAP, _LINE = 16, 18  # pixels between tiles, and from one line of text to the next


def tiles(
    captions: Sequence[str], pictures: Sequence[np.ndarray | str], columns: int = 2, foot: Sequence[str] = ()
):
    """Put pictures, ``(H, W, 3) uint8`` of any sizes, into a figure of at most 1,000 pixels wide, pixel for pixel.

    A text in place of a picture is written there. Where ``columns`` are too wide for the figure there are fewer of them.
    ``foot`` holds sentences for the lower edge. A single picture that is wider keeps its width.

    >>> figure = tiles(["a", "b"], [np.zeros((50, 600, 3), np.uint8), "no picture"])
    >>> figure.get_figwidth().item(), [text.get_text() for text in figure.texts]
    (6.0, ['a', 'b', 'no picture'])
    """
    width = max((p.shape[1] for p in pictures if not isinstance(p, str)), default=480)
    columns = max(1, min(columns, len(pictures), (MAX_WIDTH + _GAP) // (width + _GAP)))
    full = columns * width + (columns - 1) * _GAP
    captions = [_wrapped(caption, width) for caption in captions]
    bodies = [_wrapped(p, width) if isinstance(p, str) else p for p in pictures]
    foot = [line for text in foot for line in _wrapped(text, full)]
    rows = [range(i, min(i + columns, len(bodies))) for i in range(0, len(bodies), columns)]
    tops = [_LINE * max(len(captions[i]) for i in row) + 8 for row in rows]
    heights = [max(_height(bodies[i]) for i in row) for row in rows]
    tall = sum(tops) + sum(heights) + _GAP * (len(rows) - 1) + (_LINE * len(foot) + 8 if foot else 0)

    figure = Figure(figsize=(full / DPI, tall / DPI), dpi=DPI)
    FigureCanvasAgg(figure)

    def write(lines, x, y, **look):
        for i, line in enumerate(lines):
            at = (x + 4) / full, 1 - (y + i * _LINE + 2) / tall
            figure.text(*at, line, fontsize=10, va="top", **look)

    y = 0
    for row, top, height in zip(rows, tops, heights, strict=True):
        for column, i in enumerate(row):
            x = column * (width + _GAP)
            write(captions[i], x, y, weight="bold")
            if isinstance(bodies[i], list):
                write(bodies[i], x, y + top, color="#A33B00")
            else:
                figure.figimage(bodies[i], x, tall - y - top - _height(bodies[i]))
        y += top + height + _GAP
    write(foot, 0, tall - _LINE * len(foot) - 2, style="italic")
    return figure


def _height(body) -> int:
    return _LINE * len(body) if isinstance(body, list) else body.shape[0]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width // 8))
