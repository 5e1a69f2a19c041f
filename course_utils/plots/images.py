"""Plots made of pictures: single ones, grids, feature maps, heat maps over a picture, small matrices."""

from __future__ import annotations

import math
import re

import numpy as np

from course_utils.errors import CourseError
from course_utils.plots.style import array, describe, ink, one, panels


def image(
    picture,
    ax=None,
    title: str = "",
    value_range: tuple[float, float] | None = None,
    layout: str | None = None,
):
    """Draw one picture: ``(H, W)``, ``(H, W, 3)``, ``(1, H, W)`` or ``(3, H, W)``, uint8 or float.

    Grey values are shown between ``value_range``; by default 0–255 for whole numbers, 0–1 for floats that fit, else
    from the smallest to the largest finite value. Whole numbers from 17 to 255 count as pixel values: for a mask of K
    classes say ``value_range=(0, K - 1)``. ``layout``, "CHW" or "HWC", is needed only where the shape fits both, as
    that of a 3×3 colour kernel does. Raises :class:`CourseError` for other shapes, and for that one without a layout.

    >>> image(np.zeros((3, 8, 8), np.uint8), title="black").get_title()
    'black'
    """
    pixels = _picture(picture, "picture", layout)
    height, width = pixels.shape[:2]
    ax = one(ax, 4.0, max(1.2, min(8.0, 4.0 * height / width)) + (0.3 if title else 0))
    _draw(ax, pixels, value_range or _range([pixels]))
    ax.set_title(title)
    describe(ax, f"A picture of {height} × {width} pixels{f': {title}' if title else ''}.")
    return ax


def image_grid(
    images,
    titles=None,
    columns: int = 6,
    value_range=None,
    cell: float = 1.5,
    title: str = "",
    layout: str | None = None,
) -> np.ndarray:
    """Draw pictures in rows of ``columns``; returns the axes, ``(rows, columns)``, those without a picture hidden.

    ``images``: ``(N, H, W)``, ``(N, C, H, W)`` or ``(N, H, W, C)`` with C = 1 or 3, or a list of pictures of any sizes.
    Grey pictures of whole numbers share one scale, and those of floats another; for that and for ``layout`` see
    :func:`image`. ``cell`` is the width of a picture in inches. Raises :class:`CourseError` for other shapes, for less
    than one column, and when ``titles`` are not as many as the pictures.

    >>> image_grid(np.zeros((7, 8, 8)), columns=4).shape
    (2, 4)
    """
    pictures = _pictures(images, layout)
    titles = _titles(titles, len(pictures))
    rows, columns = _rows_and_columns(len(pictures), columns)
    lines = max((text.count("\n") + 1 for text in titles if text), default=0)
    shape = max(p.shape[0] / p.shape[1] for p in pictures)
    width = max(columns * cell, 2.0)
    height = rows * (width / columns * min(shape, 3) + 0.2 * lines + 0.07) + (0.35 if title else 0)
    axes = panels(rows, columns, width, height)
    axes[0, 0].figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    kinds = {w: [p for p in pictures if _whole(p) == w] for w in (True, False)}
    scales = {w: value_range or _range(some) for w, some in kinds.items() if some}
    for ax, picture, text in zip(axes.flat, pictures, titles, strict=False):
        _draw(ax, picture, scales[_whole(picture)])
        ax.set_title(text, fontsize=10, pad=3)
    for ax in axes.flat[len(pictures) :]:
        ax.set_axis_off()
    if title:
        axes[0, 0].figure.suptitle(title, fontsize=12)
    named = (
        f": {', '.join(text.replace(chr(10), ' ') for text in titles)}"
        if any(titles) and len(titles) <= 12
        else ""
    )
    describe(axes[0, 0], f"{title + ': ' if title else ''}{len(pictures)} pictures in a grid{named}.")
    return axes


def feature_maps(maps, columns: int = 8, titles=None, shared: bool = False, cell: float = 1.2) -> np.ndarray:
    """Draw the channels of one feature map, ``(C, H, W)``, each as a picture in viridis; returns the axes.

    With ``shared`` all channels have one colour scale, with a colour bar; else each has its own from its smallest to
    its largest value, and a dead channel is flat. Raises :class:`CourseError` for other shapes, and for less than one
    column.

    >>> feature_maps(np.zeros((3, 8, 8)), columns=2).shape
    (2, 2)
    """
    maps = array(maps, "maps")
    if maps.ndim == 4 and len(maps) == 1:
        maps = maps[0]
    if maps.ndim != 3 or 0 in maps.shape:
        raise CourseError(f"maps has shape {maps.shape}. Valid: (C, H, W), the channels of one picture.")
    titles = _titles(titles if titles is not None else [str(i) for i in range(len(maps))], len(maps))
    rows, columns = _rows_and_columns(len(maps), columns)
    width = max(columns * cell, 2.0) + (0.9 if shared else 0)
    height = rows * (max(columns * cell, 2.0) / columns * min(maps.shape[1] / maps.shape[2], 3) + 0.25)
    axes = panels(rows, columns, width, max(height, 1.4))
    axes[0, 0].figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    low, high = _ends([maps]) if shared else (None, None)
    if shared and low == high:
        high = low + 1  # else the colour bar widens the range of the last channel only
    for ax, channel, text in zip(axes.flat, maps, titles, strict=False):
        drawn = ax.imshow(channel, cmap="viridis", vmin=low, vmax=high)
        _bare(ax)
        ax.set_title(text, fontsize=10, pad=2)
    for ax in axes.flat[len(maps) :]:
        ax.set_axis_off()
    if shared:
        axes[0, 0].figure.colorbar(drawn, ax=axes, label="activation", shrink=min(0.9, 2.0 / height))
    size = f"{maps.shape[1]} × {maps.shape[2]}"
    describe(
        axes[0, 0],
        f"{len(maps)} channels of a feature map, {size} each, bright where the activation is high.",
    )
    return axes


def overlay(picture, heat, ax=None, title: str = "", strength: float = 0.5):
    """Draw a heat map ``(h, w)`` in [0, 1] over a picture, stretched to its size, with a colour bar.

    ``strength`` is how opaque the heat map is. Lesson 12 explains what such maps show.

    >>> overlay(np.zeros((8, 8)), np.ones((2, 2)), title="all of it").get_title()
    'all of it'
    """
    pixels, heat = _picture(picture, "picture"), array(heat, "heat")
    if heat.ndim != 2:
        raise CourseError(f"heat has shape {heat.shape}. Valid: (h, w), the map of one picture.")
    alone = ax is None
    ax = one(ax, 4.8, max(1.6, min(8.0, 3.9 * pixels.shape[0] / pixels.shape[1])) + (0.35 if title else 0.1))
    _draw(ax, pixels, _range([pixels]))
    extent = (-0.5, pixels.shape[1] - 0.5, pixels.shape[0] - 0.5, -0.5)
    drawn = ax.imshow(
        heat, cmap="viridis", vmin=0, vmax=1, alpha=strength, extent=extent, interpolation="bilinear"
    )
    if alone:
        ax.figure.colorbar(drawn, ax=ax, label="importance", shrink=0.8)
    ax.set_title(title)
    describe(ax, f"A picture under a heat map of importance{f': {title}' if title else ''}.")
    return ax


def annotated_matrix(
    a, ax=None, title: str = "", fmt: str | None = None, highlight=None, cmap: str = "cividis"
):
    """Draw a small matrix ``(H, W)`` as cells with their numbers, as for a kernel and the pixels below it.

    ``fmt`` is a format such as ``".2f"``; by default whole numbers are bare and others have two digits.
    A cell that is nan stays empty. ``highlight`` frames cells: ``(row, column, height, width)``, or a list of such. At
    most 400 cells.

    >>> annotated_matrix([[1, 0], [0, 1]], title="kernel").get_title()
    'kernel'
    """
    a = array(a, "a")
    if a.ndim != 2 or not 0 < a.size <= 400:
        raise CourseError(
            f"a has shape {a.shape}. Valid: (H, W) with at most 400 cells; use image() for more."
        )
    fmt = fmt or ("d" if a.dtype.kind in "biu" else ".0f" if np.all(a == np.round(a)) else ".2f")
    texts = [
        ["" if np.isnan(v) else format(int(v) if fmt == "d" else float(v), fmt) for v in row] for row in a
    ]
    texts = [[re.sub(r"^-(0(\.0*)?%?)$", r"\1", text) for text in row] for row in texts]
    longest = max(len(t) for row in texts for t in row)
    cell = max(0.42, 0.1 * longest + 0.16)
    ax = one(ax, max(2.2, cell * a.shape[1] + 0.3), max(1.0, cell * a.shape[0] + (0.5 if title else 0.2)))
    drawn = ax.imshow(a, cmap=cmap)
    _bare(ax)
    for (i, j), value in np.ndenumerate(a):
        colour = ink(drawn.cmap(drawn.norm(value)))
        ax.text(j, i, texts[i][j], ha="center", va="center", color=colour, fontsize=10)
    ax.vlines(np.arange(a.shape[1] - 1) + 0.5, -0.5, a.shape[0] - 0.5, color="white", linewidth=1)
    ax.hlines(np.arange(a.shape[0] - 1) + 0.5, -0.5, a.shape[1] - 0.5, color="white", linewidth=1)
    for row, column, height, width in np.reshape(highlight if highlight is not None else [], (-1, 4)):
        corner = (column - 0.5, row - 0.5)
        ax.add_patch(_frame(corner, width, height))
    ax.set_title(title)
    numbers = f" Rows: {'; '.join(', '.join(row) for row in texts)}." if a.size <= 25 else ""
    describe(ax, f"{title + ': ' if title else ''}A matrix of {a.shape[0]} × {a.shape[1]} numbers.{numbers}")
    return ax


def _frame(corner, width, height):
    from matplotlib.patches import Rectangle

    return Rectangle(
        corner, width, height, fill=False, edgecolor="#D55E00", linewidth=3, clip_on=False, zorder=3
    )


def _bare(ax) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _draw(ax, pixels: np.ndarray, scale: tuple[float, float]) -> None:
    low, high = scale
    if pixels.ndim == 3:
        span = (high - low) or 1
        ax.imshow(np.clip((pixels.astype(np.float32) - low) / span, 0, 1))
    else:
        ax.imshow(pixels, cmap="gray", vmin=low, vmax=high)
    _bare(ax)


def _range(pictures: list[np.ndarray]) -> tuple[float, float]:
    low, high = _ends(pictures)
    if _whole(pictures[0]):
        return (
            (0, 255)
            if pictures[0].dtype == np.uint8 or (low >= 0 and 16 < high <= 255)
            else (low, max(high, low + 1))
        )
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _ends(arrays: list[np.ndarray]) -> tuple[float, float]:
    """The smallest and the largest finite value; 0 and 1 where none is finite."""
    finite = [a[np.isfinite(a)] for a in arrays]
    finite = [a for a in finite if a.size]
    return (
        (min(a.min().item() for a in finite), max(a.max().item() for a in finite)) if finite else (0.0, 1.0)
    )


def _whole(pixels: np.ndarray) -> bool:
    return pixels.dtype.kind in "iu"


def _rows_and_columns(n: int, columns: int) -> tuple[int, int]:
    if columns < 1:
        raise CourseError(f"columns is {columns}. Valid: whole numbers from 1.")
    columns = min(columns, n)
    return math.ceil(n / columns), columns


def _picture(value, what: str, layout: str | None = None) -> np.ndarray:
    pixels = array(value, what)
    if layout not in (None, "CHW", "HWC"):
        raise CourseError(
            f"layout is {layout!r}. Valid: 'CHW' (channels first), 'HWC' (channels last), None."
        )
    if pixels.ndim == 3 and layout is None:
        first, last = (pixels.shape[axis] in (1, 3) for axis in (0, 2))
        if first and last:
            raise CourseError(
                f"{what} has shape {pixels.shape}: its channels may be first or last. Say layout='CHW' or layout='HWC'."
            )
        layout = "CHW" if first else "HWC"
    if pixels.ndim == 3 and layout == "CHW":
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or 0 in pixels.shape:
        raise CourseError(
            f"{what} has shape {np.shape(value)}. Valid: (H, W), (H, W, 3), (1, H, W) or (3, H, W), not empty."
        )
    return pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels


def _pictures(images, layout: str | None = None) -> list[np.ndarray]:
    if not isinstance(images, (list, tuple)):
        images = array(images, "images")
        if images.ndim not in (3, 4):
            raise CourseError(
                f"images has shape {images.shape}. Valid: (N, H, W), (N, C, H, W), (N, H, W, C) or a list of pictures."
            )
    if not len(images):
        raise CourseError("images is empty; there is nothing to draw.")
    return [_picture(p, f"images[{i}]", layout) for i, p in enumerate(images)]


def _titles(titles, n: int) -> list[str]:
    titles = [""] * n if titles is None else [str(t) for t in titles]
    if len(titles) != n:
        raise CourseError(f"there are {len(titles)} titles for {n} pictures. Give one for each.")
    return titles
