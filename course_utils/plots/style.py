"""The course's look, the panels that figures are drawn into, and ``show``."""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from course_utils.errors import CourseError

# Okabe and Ito (2008), told apart by colour-blind readers; yellow last, it is pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#F0E442")
# With a line style each, so that lines are told apart in greyscale too.
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)), (0, (3, 4)))
DPI = 100


def use_course_style() -> None:
    """Set matplotlib's defaults for the course: fonts from 10 points, quiet axes, the palette."""
    matplotlib.rcParams.update(
        {
            "figure.dpi": DPI,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.8,
            "lines.linewidth": 2,
            "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES),
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
        }
    )


def panels(rows: int = 1, columns: int = 1, width: float = 6.0, height: float = 3.8) -> np.ndarray:
    """Make an empty figure of ``rows × columns`` axes and return them as an array of that shape.

    ``width`` and ``height`` are those of the whole figure, in inches of 100 pixels. The figure is not known to
    ``pyplot``: it appears when it is given to :func:`show`, and only then.

    >>> panels(1, 2).shape
    (1, 2)
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.07, h_pad=0.07)
    FigureCanvasAgg(figure)
    return figure.subplots(rows, columns, squeeze=False)


def one(ax, width: float = 6.0, height: float = 3.8):
    """Return ``ax``, or the axes of a new figure when it is ``None``."""
    return panels(width=width, height=height)[0, 0] if ax is None else ax


def ink(colour) -> str:
    """The colour of text that is read on ``colour``: white on a dark one, black on a bright or transparent one."""
    red, green, blue, opacity = to_rgba(colour)
    return "white" if opacity and 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"


def describe(axes, text: str) -> None:
    """Attach the default alt text of a plot to its axes."""
    axes.alt_text = text


def show(axes, alt: str | None = None) -> None:
    """Display a figure once, as one PNG with alt text, and close it.

    Outside IPython the PNG goes to the folder that ``COURSE_FIGURES`` names, numbered from 1; without one, nothing is shown.

    ``axes``: Axes, an array of them, or a Figure. ``alt`` says what the figure shows, for readers who cannot see it; if
    it is missing, the plot's own description is used. Raises :class:`CourseError` when there is no axes.
    """
    figure = _figure(axes)
    if alt is None:
        alt = " ".join(text for a in figure.axes if (text := getattr(a, "alt_text", ""))) or "A figure."
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        data = {"image/png": base64.b64encode(png(figure)).decode(), "text/plain": "<figure>"}
        ipython.display.display(data, metadata={"image/png": {"alt": alt}}, raw=True)
    elif folder := os.environ.get("COURSE_FIGURES"):
        Path(folder, f"{len(list(Path(folder).glob('*.png'))) + 1:02d}.png").write_bytes(png(figure))
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(figure)


def png(axes) -> bytes:
    """The PNG file of a figure: the same bytes for the same figure, with a palette where the eye cannot tell."""
    return encoded(pixels(axes))


def pixels(axes) -> np.ndarray:
    """A figure as it is shown: ``(H, W, 3) uint8``."""
    buffer = io.BytesIO()
    _figure(axes).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return np.asarray(Image.open(buffer).convert("RGB"))


def encoded(rgb: np.ndarray, small: bool = True) -> bytes:
    """``(H, W, 3) uint8`` as a PNG file; if ``small``, with a palette of 256 colours where the eye cannot tell."""
    picture, out = Image.fromarray(rgb), io.BytesIO()
    if small:
        few = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        if not _looks_alike(rgb, few) and picture.getcolors(16_384):
            # A drawing in many flat colours. The second method is slow, and of no use for a colour photograph.
            few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
        picture = few if _looks_alike(rgb, few) else picture
    picture.save(out, format="png")
    return out.getvalue()


def _looks_alike(rgb: np.ndarray, few: Image.Image) -> bool:
    error = np.abs(rgb.astype(np.int16) - np.asarray(few.convert("RGB"), np.int16)).max(axis=2)
    return error.max() <= 32 and (error > 8).mean() < 0.002


def _figure(axes) -> Figure:
    if isinstance(axes, Figure):
        return axes
    flat = [a for a in np.ravel(np.asarray(axes, dtype=object)) if hasattr(a, "figure")]
    if not flat:
        raise CourseError(f"show() got {axes!r}. Give it the axes that a plot returned, or a figure.")
    return flat[0].figure.figure  # of a sub-figure, the whole


def array(value, what: str) -> np.ndarray:
    """Return a tensor, list or array as a NumPy array on the CPU; raise :class:`CourseError` when it is none."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    try:
        result = np.asarray(value)
    except ValueError:
        raise CourseError(
            f"{what} is a {type(value).__name__} with rows of different shapes; give one array."
        ) from None
    if result.dtype.kind not in "biuf":
        raise CourseError(f"{what} holds {result.dtype}, not numbers.")
    return result
