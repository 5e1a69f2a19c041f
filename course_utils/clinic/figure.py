"""The chart of a run as one figure, and its vital signs as a table."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.ticker import NullLocator

from course_utils import plots
from course_utils.clinic.chart import Chart


def draw(chart: Chart, recalls: list[float]):
    """Six panels: loss, gradients, changes of the weights; a batch as the net saw it, its input, accuracy by class.

    ``recalls``: the accuracy in use of each class. Returns the axes, ``(2, 3)``.
    """
    axes = plots.panels(2, 3, width=9, height=4.2)
    _losses(axes[0, 0], chart, len(recalls))
    first, last = chart.names()[0], chart.names()[-1]
    for ax, table, label in (
        (axes[0, 1], chart.gradients, "norm of the gradient"),
        (axes[0, 2], chart.updates, "change of weights"),
    ):
        _layers(ax, np.array(table), first, last, label)
    _batch(axes[1, 0], chart)
    _inputs(axes[1, 1], chart)
    bars = axes[1, 2]
    bars.bar(range(len(recalls)), recalls, color=plots.COLOURS[0])
    bars.set_xticks(range(len(recalls)), list(map(str, range(len(recalls)))))
    bars.set(ylim=(0, 1.05), xlabel="class", ylabel="accuracy in use")
    return axes


def table(found: dict[str, float], healthy: dict[str, float]) -> str:
    """The vital signs in two columns, each with the healthy run's in brackets.

    >>> print(table({"dead": 0.9, "twins": 0.0}, {"dead": 0.0, "twins": 0.0}))
    dead               0.9 (0)         twins                0 (0)
    """
    cells = [f"{name:16s} {_number(v):>5s} ({_number(healthy[name])})" for name, v in found.items()]
    half = -(-len(cells) // 2)
    right = cells[half:] + [""] * (2 * half - len(cells))
    return "\n".join(f"{a:34s} {b}".rstrip() for a, b in zip(cells[:half], right, strict=True))


def _number(value: float) -> str:
    return "∞" if value == math.inf else f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"


def _losses(ax, chart: Chart, classes: int) -> None:
    steps, every = len(chart.losses), len(chart.losses) // len(chart.valid_losses)
    ax.axhline(math.log(classes), color="grey", linewidth=1)
    ax.plot(_finite(chart.losses), color=plots.COLOURS[0], label="training", linewidth=1.3)
    at = every * np.arange(1, len(chart.valid_losses) + 1)
    ax.plot(at, _finite(chart.valid_losses), "o", color=plots.COLOURS[1], label="validation", markersize=4)
    ax.set(xlabel="step", ylabel="loss (nats)", xlim=(-0.02 * steps, 1.02 * steps))
    _decades(ax, [*chart.losses, *chart.valid_losses, 0.5, 9])
    broken = np.flatnonzero(~np.isfinite(chart.losses))
    if len(broken):
        ax.text(0.5, 0.5, f"not finite from step {broken[0]}", transform=ax.transAxes, ha="center")
    ax.legend(loc="best")


def _layers(ax, values: np.ndarray, first: str, last: str, label: str) -> None:
    for column, name, colour, line in ((0, first, plots.COLOURS[0], "-"), (-1, last, plots.COLOURS[1], "--")):
        y = values[:, column]
        ax.plot(_finite(y), line, color=colour, label=name + _left_out(y), linewidth=1.3)
    ax.set(xlabel="step", ylabel=label, xlim=(-0.02 * len(values), 1.02 * len(values)))
    _decades(ax, values[:, [0, -1]])
    ax.legend(loc="upper right", fontsize=8, handlelength=1.5, borderaxespad=0)


def _left_out(values: np.ndarray) -> str:
    """What a log axis can't show at the ends of a curve, for its label.

    >>> _left_out(np.array([2.0, 1.0, 0.0, 0.0]))
    ': 0 from step 2'
    """
    shown = np.flatnonzero(np.isfinite(_finite(values)))
    if not len(shown):
        return ": 0" if (values == 0).all() else ": not finite"
    before, after = values[: shown[0]], values[shown[-1] + 1 :]
    if len(after):
        return f": {'0' if (after == 0).all() else 'not finite'} from step {len(values) - len(after)}"
    return f": 0 before step {len(before)}" if len(before) and (before == 0).all() else ""


def _finite(values) -> np.ndarray:
    values = np.array(values, float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _decades(ax, values) -> None:
    """A log axis labelled at whole decades, with room for a legend above; of zeros alone, an axis that shows 0."""
    positive = _finite(values)
    if not np.isfinite(positive).any():
        ax.set(ylim=(0, 1), yticks=[0] if (np.asarray(values) == 0).all() else [])
        return
    low, high = math.floor(np.log10(np.nanmin(positive))), np.log10(np.nanmax(positive))
    top = max(math.ceil(high + 1e-9), low + (high - low) / 0.64)  # the legend takes the upper third
    ax.set(yscale="log", ylim=(10.0**low, 10.0**top))
    ax.yaxis.set_minor_locator(NullLocator())


def _batch(ax, chart: Chart) -> None:
    images, targets = chart.seen
    tiles, (height, width) = images[:8, 0].numpy(), images.shape[-2:]
    above, gap = 0.5 * height, 0.25 * width  # room for the targets, and between pictures
    for k, (tile, target) in enumerate(zip(tiles, targets[:8].tolist(), strict=True)):
        left, top = (k % 4) * (width + gap), (k // 4) * (height + above)
        ax.imshow(
            tile,
            cmap="gray",
            vmin=tiles.min(),
            vmax=tiles.max(),
            extent=(left, left + width, top + height, top),
        )
        ax.text(left + width / 2, top - 0.12 * height, str(target), ha="center", weight="bold")
    ax.set(xlim=(-gap, 4 * (width + gap)), ylim=(2 * height + above, -above), xticks=[], yticks=[])
    ax.set_xlabel("a batch under its targets")
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _inputs(ax, chart: Chart) -> None:
    train, valid = (t.numpy().ravel() for t in chart.pictures())
    edges = np.linspace(min(train.min(), valid.min()), max(train.max(), valid.max()), 18)
    looks = (train, "training", plots.COLOURS[0], "-"), (valid, "validation", plots.COLOURS[1], "--")
    for values, name, colour, line in looks:
        share = np.histogram(values, edges)[0] / len(values)
        ax.stairs(share, edges, color=colour, linestyle=line, label=name, linewidth=1.5)
    ax.set(xlabel="input of the net", ylabel="share of pixels")
    ax.set_ylim(0, 1.5 * ax.get_ylim()[1])
    ax.legend(loc="upper center")
