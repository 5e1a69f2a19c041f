"""Plots of numbers: curves, bars, histograms."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import LogLocator

from course_utils.errors import CourseError
from course_utils.plots.style import COLOURS, LINES, array, describe, one

_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")


def curves(
    series: dict,
    *,
    xlabel: str,
    ylabel: str,
    logx: bool = False,
    logy: bool = False,
    bands: dict | None = None,
    markers: bool | None = None,
    title: str = "",
    ax=None,
):
    """Draw lines, one for each entry of ``series``: label → ``(x, y)``, or label → ``y`` counted from 0.

    ``bands``: label → ``(low, high)``, drawn shaded around the line of that label. ``markers`` are put on the points
    where there are at most 20, unless said otherwise. Labels carry the units: ``"loss (nats)"``.
    Raises :class:`CourseError` when x and y differ in length, or a log axis gets no positive value.

    >>> ax = curves({"a": ([1, 10, 100], [3, 2, 1])}, xlabel="steps", ylabel="loss", logx=True)
    >>> ax.get_xscale()
    'log'
    """
    if not series:
        raise CourseError("series is empty. Give a dict: label → (x, y).")
    ax = one(ax)
    for i, (label, points) in enumerate(series.items()):
        x, y = _points(label, points)
        for values, log in ((x, logx), (y, logy)):
            if log and len(values) and not (values[np.isfinite(values)] > 0).any():
                raise CourseError(f"series {label!r} has no positive value to draw on a log axis.")
        dots = len(x) <= 20 if markers is None else markers
        style = {"color": COLOURS[i % 8], "linestyle": _nth(LINES, i)}
        marker = _nth("osD^vPX*", i) if dots else None
        ax.plot(x, y, label=label, marker=marker, markersize=5, **style)
        if bands and label in bands:
            low, high = (array(edge, f"bands[{label!r}]") for edge in bands[label])
            if not len(low) == len(high) == len(x):
                raise CourseError(
                    f"bands[{label!r}] has {len(low)} and {len(high)} values for {len(x)} points."
                )
            ax.fill_between(x, low, high, color=COLOURS[i % 8], alpha=0.2, linewidth=0)
    if logx:
        ax.set_xscale("log")
        _tick_short(ax.xaxis)
    if logy:
        ax.set_yscale("log")
        _tick_short(ax.yaxis)
    _finish(ax, xlabel, ylabel, title)
    if len(series) > 1 or next(iter(series)):
        ax.legend()
    scale = " on a log scale" if logy else ""
    describe(ax, f"{title + ': ' if title else ''}{ylabel}{scale} against {xlabel}, for {_listed(series)}.")
    return ax


def bars(
    labels,
    values,
    errors=None,
    *,
    xlabel: str,
    ylabel: str,
    fmt: str = ".3g",
    horizontal: bool | None = None,
    title: str = "",
    ax=None,
):
    """Draw a bar with its number for each label; ``values`` is ``(n,)``, or name → ``(n,)`` for bars in groups.

    ``errors``: half-widths ``(n,)``, or ``(2, n)`` the distances below and above; for groups, a dict of these.
    Bars lie flat where labels are long. ``xlabel`` names the labels' axis and ``ylabel`` the values' in both cases.
    Raises :class:`CourseError` when the lengths differ, or there is no value.

    >>> bars(["mono", "poly"], [0.9, 0.8], xlabel="cell type", ylabel="accuracy").get_ylabel()
    'accuracy'
    """
    labels = [str(label) for label in labels]
    groups = values if isinstance(values, dict) else {"": values}
    groups = {name: array(v, "values") for name, v in groups.items()}
    if not groups:
        raise CourseError("values is empty. Give (n,), or a dict: name → (n,).")
    if not labels or any(v.shape != (len(labels),) for v in groups.values()):
        shapes = ", ".join(str(v.shape) for v in groups.values())
        raise CourseError(
            f"there are {len(labels)} labels for values of shape {shapes}. Give one value for each label."
        )
    flat = sum(map(len, labels)) > 48 or max(map(len, labels)) > 14 if horizontal is None else horizontal
    thick = 0.8 / len(groups)
    ax = one(ax, 6.0, max(2.2, 0.7 + 0.42 * len(labels) * max(1, 0.7 * len(groups)))) if flat else one(ax)
    at = np.arange(len(labels))
    # White behind the numbers hides a line that crosses them; upright bars in groups stand so close that it hid numbers.
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1} if flat or len(groups) == 1 else None
    for i, (name, heights) in enumerate(groups.items()):
        error = errors.get(name) if isinstance(errors, dict) else errors
        error = None if error is None else array(error, "errors")
        if error is not None and error.shape not in ((len(labels),), (2, len(labels))):
            raise CourseError(
                f"errors has shape {error.shape}. Valid: ({len(labels)},) or (2, {len(labels)})."
            )
        where = at + (i - (len(groups) - 1) / 2) * thick
        look = {"color": COLOURS[i % 8], "hatch": _nth(_HATCHES, i), "edgecolor": "white", "label": name}
        if flat:
            drawn = ax.barh(where, heights, thick, xerr=error, capsize=4, **look)
        else:
            drawn = ax.bar(where, heights, thick, yerr=error, capsize=4, **look)
        ax.bar_label(drawn, fmt=lambda v: format(v, fmt), padding=3, fontsize=10, bbox=ground)
    if flat:
        ax.set_yticks(at, labels)
        ax.invert_yaxis()
        ax.margins(x=0.15)
        _finish(ax, ylabel, xlabel, title)
    else:
        ax.set_xticks(at, labels)
        ax.margins(y=0.12)
        _finish(ax, xlabel, ylabel, title)
    ax.grid(visible=False, axis="y" if flat else "x")
    if len(groups) > 1:
        lines = 1 if flat else 1 + max(label.count("\n") for label in labels)
        pad = 2.2 + 1.4 * lines  # of the legend's font size: below the numbers or labels and the axis label
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=pad, ncols=min(len(groups), 4))
    named = _listed(labels) if len(labels) <= 12 else f"{len(labels)} labels"
    named += f", each for {_listed(groups)}" if len(groups) > 1 else ""
    describe(ax, f"{title + ': ' if title else ''}Bars of {ylabel} for each {xlabel}: {named}.")
    return ax


def histogram(
    values, *, xlabel: str, bins=30, ylabel: str = "count", log: bool = False, title: str = "", ax=None
):
    """Count values in bins; ``values`` is ``(N,)``, or name → ``(N,)`` for outlines over each other.

    The label of the axis says how many values were left out because they are not finite. Raises :class:`CourseError`
    when no value is finite.

    >>> histogram([0, 0, 1], xlabel="pixel value", bins=2).get_ylabel()
    'count'
    """
    groups = values if isinstance(values, dict) else {"": values}
    groups = {name: array(v, "values").ravel() for name, v in groups.items()}
    total = sum(map(len, groups.values()))
    if not total:
        raise CourseError("values is empty; there is nothing to count.")
    groups = {name: v[np.isfinite(v)] for name, v in groups.items()}
    every = np.concatenate(list(groups.values()))
    if not len(every):
        raise CourseError(
            f"none of the {total} values is finite. Look for the step that gave nan or inf first."
        )
    edges = np.histogram_bin_edges(every, bins)
    if lost := total - len(every):
        xlabel += f" ({lost:,} of {total:,} not finite)"
    ax = one(ax)
    for i, (name, numbers) in enumerate(groups.items()):
        filled = len(groups) == 1
        look = {"histtype": "stepfilled" if filled else "step", "linewidth": 0 if filled else 2}
        ax.hist(numbers, edges, color=COLOURS[i % 8], linestyle=_nth(LINES, i), label=name, log=log, **look)
    _finish(ax, xlabel, ylabel, title)
    if len(groups) > 1:
        ax.legend()
    whose = f", for {_listed(groups)}" if len(groups) > 1 else ""
    describe(ax, f"{title + ': ' if title else ''}Histogram of {xlabel}{whose}.")
    return ax


def _nth(looks, i: int):
    """The look of series ``i``: after eight each colour meets the next look, so that no two series are alike."""
    return looks[(i + i // 8) % 8]


def _points(label, points) -> tuple[np.ndarray, np.ndarray]:
    pair = isinstance(points, tuple) and len(points) == 2
    y = array(points[1] if pair else points, f"series[{label!r}]")
    x = array(points[0], f"series[{label!r}]") if pair else np.arange(len(y))
    if x.ndim != 1 or x.shape != y.shape:
        raise CourseError(
            f"series {label!r} has x of shape {x.shape} and y of shape {y.shape}. Valid: (n,) and (n,)."
        )
    return x, y


def _tick_short(axis) -> None:
    """Ticks at 1, 2, 5, 10 on a log axis of less than two decades, where matplotlib writes 2×10⁰."""
    low, high = axis.get_view_interval()
    if 1e-3 <= low and high <= 1e4 and high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")


def _finish(ax, xlabel: str, ylabel: str, title: str) -> None:
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)


def _listed(names) -> str:
    names = [str(name) for name in names if str(name)] or ["one series"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
