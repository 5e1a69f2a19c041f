"""Controls that are tables: numbers to edit, cells to click."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.controls.choices import Part, described, number, parsed
from course_utils.errors import CourseError

MAX_CELLS = 144


class Table:
    """A small table of numbers to edit, with ``presets`` to start from: name → array, all of one shape.

    The value is a float array of that shape, ``(H, W)`` or ``(W,)``, a new one at each drawing. In ``static`` it is a
    preset's name or an array. Raises :class:`CourseError` for presets that are no such arrays.

    >>> Table({"blur": [[1, 1], [1, 1]], "edge": [[-1, 1], [-1, 1]]}).shape
    (2, 2)
    """

    def __init__(self, presets: Mapping[str, Any]):
        if not isinstance(presets, Mapping) or not presets:
            raise CourseError(f"Table() got {presets!r}. Give it presets: a dict of name → array of numbers.")
        try:
            self.presets = {str(name): np.array(values, dtype=float) for name, values in presets.items()}
        except (TypeError, ValueError) as error:
            raise CourseError(f"a preset of Table() is not an array of numbers: {error}.") from None
        shapes = {name: values.shape for name, values in self.presets.items()}
        self.shape = next(iter(shapes.values()))
        if len(set(shapes.values())) > 1:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise CourseError(f"the presets of a Table must have one shape, and these differ: {listed}.")
        if len(self.shape) not in (1, 2) or not 0 < math.prod(self.shape) <= MAX_CELLS:
            raise CourseError(
                f"presets of shape {self.shape}. Valid: (W,) or (H, W) with at most {MAX_CELLS} cells."
            )
        self.name = "table"

    @property
    def first(self):
        """The first preset."""
        return next(iter(self.presets.values()))

    def resolve(self, value):
        """The array that a preset's name or an array of the right shape stands for."""
        if isinstance(value, str):
            if value not in self.presets:
                raise CourseError(
                    f"static has {self.name}={value!r}, and there is no such preset. Presets: {', '.join(self.presets)}."
                )
            return self.presets[value]
        array = np.asarray(value)
        if array.shape != self.shape or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise CourseError(
                f"static has {self.name} of shape {array.shape}. Valid: numbers of shape {self.shape}, "
                f"or a preset's name: {', '.join(self.presets)}."
            )
        return array.astype(float)

    def label(self, value) -> str:
        """The name of the preset that the value equals, else *edited*."""
        named = (name for name, preset in self.presets.items() if np.array_equal(preset, value))
        return next(named, "edited")

    def build(self, value, changed, refuse) -> Part:
        """A list of presets above number cells; what is no number is refused in words, and the old number stays."""
        import ipywidgets

        now = np.array(value)
        flat = now.reshape(-1)
        columns = now.shape[-1]
        names = list(self.presets)
        chosen = self.label(now) if self.label(now) in names else None
        presets = ipywidgets.Dropdown(options=names, value=chosen, **described(self.name, "300px"))
        box = {"layout": {"width": "64px", "height": "32px", "margin": "1px"}, "continuous_update": False}
        cells = [ipywidgets.Text(value=number(v), **box) for v in flat]
        quiet = []

        def write():
            quiet.append(True)
            for cell, v in zip(cells, flat, strict=True):
                cell.value = number(v)
            presets.value = self.label(now) if self.label(now) in names else None
            quiet.clear()

        def pick(change):
            if not quiet and change["new"] is not None:
                now[...] = self.presets[change["new"]]
                write()
                changed()

        def edit(change, i):
            if quiet or change["new"] == number(flat[i]):
                return
            typed = parsed(change["new"])
            place = f"row {i // columns + 1}, column {i % columns + 1}"
            if typed is not None:
                flat[i] = typed
            write()
            changed()
            if typed is None:
                refuse(
                    f"“{change['new']}” is not a number, so {number(flat[i])} stays in {place} of {self.name}. "
                    "Write a number such as 2, -0.5 or 1/9."
                )

        presets.observe(pick, "value")
        for i, cell in enumerate(cells):
            cell.tooltip = f"{self.name}: row {i // columns + 1}, column {i % columns + 1}"
            cell.observe(lambda change, i=i: edit(change, i), "value")
        grid = ipywidgets.GridBox(cells, layout={"grid_template_columns": f"repeat({columns}, 68px)"})
        widget = ipywidgets.VBox([presets, grid])
        return Part(widget, now.copy, {"presets": presets, "cells": cells})


class Cells:
    """A table whose cells are clicked: the value is ``(row, column)``, two indices. The chosen cell is highlighted.

    ``rows`` and ``columns`` are the headings. Raises :class:`CourseError` when one is empty, or for more than
    144 cells.

    >>> Cells(["out 0", "out 1"], ["red", "green", "blue"]).label((1, 2))
    'out 1, blue'
    """

    def __init__(self, rows: Sequence[str], columns: Sequence[str]):
        self.rows, self.columns = [str(r) for r in rows], [str(c) for c in columns]
        for what, names in (("rows", self.rows), ("columns", self.columns)):
            if not names or isinstance(rows if what == "rows" else columns, str):
                raise CourseError(f"Cells() got {what}={names!r}. Give a list of headings, one for each.")
        if len(self.rows) * len(self.columns) > MAX_CELLS:
            raise CourseError(
                f"Cells() got {len(self.rows)} rows and {len(self.columns)} columns. Valid: at most {MAX_CELLS} cells."
            )
        self.name, self.first = "cells", (0, 0)

    def resolve(self, value):
        """The pair of indices as ints. Raises :class:`CourseError` when it lies outside the table."""
        whole = isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_whole, value))
        if not whole or not (0 <= value[0] < len(self.rows) and 0 <= value[1] < len(self.columns)):
            raise CourseError(
                f"static has {self.name}={value!r}. Valid: (row, column), row 0 to {len(self.rows) - 1}, "
                f"column 0 to {len(self.columns) - 1}."
            )
        return int(value[0]), int(value[1])

    def label(self, value) -> str:
        """The two headings."""
        return f"{self.rows[value[0]]}, {self.columns[value[1]]}"

    def build(self, value, changed, refuse) -> Part:
        """A grid of buttons under and beside their headings."""
        import ipywidgets

        now = [value]
        places = [(r, c) for r in range(len(self.rows)) for c in range(len(self.columns))]
        layout = {"width": "auto", "min_width": "40px", "height": "30px"}
        buttons = {p: ipywidgets.Button(tooltip=self.label(p), layout=layout) for p in places}

        def mark():
            for place, button in buttons.items():
                chosen = place == now[0]
                button.description = "●" if chosen else "○"
                button.button_style = "primary" if chosen else ""

        def click(place):
            now[0] = place
            mark()
            changed()

        mark()
        for place, button in buttons.items():
            button.on_click(lambda _, place=place: click(place))
        heading = [ipywidgets.Label(name) for name in [f"{self.name}", *self.columns]]
        body = [
            [ipywidgets.Label(name), *(buttons[r, c] for c in range(len(self.columns)))]
            for r, name in enumerate(self.rows)
        ]
        grid = ipywidgets.GridBox(
            [*heading, *(widget for row in body for widget in row)],
            layout={
                "grid_template_columns": f"repeat({len(self.columns) + 1}, max-content)",
                "grid_gap": "2px 6px",
            },
        )
        return Part(grid, lambda: now[0], {"buttons": buttons})


def _whole(value) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
