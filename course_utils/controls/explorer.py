"""``explore``: a figure with a control for each argument of the function that draws it."""

from __future__ import annotations

import base64
import html
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from course_utils.controls.choices import offer
from course_utils.controls.readers import ReaderError, watched
from course_utils.errors import CourseError

# The saved notebook holds the static picture, then the live box, then this note. Where the box is alive it replaces
# picture and note; where it is dead (no kernel, or a new one) picture and note stay. Without these classes all of
# them are seen.
_NOTE = """\
<style>
.jp-OutputArea-child:has(+ .jp-OutputArea-child .course-live:not(.jupyter-widgets-disconnected)) { display: none; }
.jp-OutputArea-child:has(.course-live:not(.jupyter-widgets-disconnected)) + .jp-OutputArea-child:has(.course-note) { display: none; }
.jp-OutputArea-child:not(:has(.course-live:not(.jupyter-widgets-disconnected))):has(+ .jp-OutputArea-child .course-note) { display: none; }
</style>
<span class="course-note">Run this cell in JupyterLab to move the controls.</span>"""


@dataclass
class Picture:
    """One drawing: its pixels, or the sentence that says why there is none; and whose function made it."""

    rgb: np.ndarray | None
    label: str = ""
    problem: str = ""


def explore(
    draw: Callable,
    *,
    alt: str,
    static: Sequence[Mapping],
    columns: int = 2,
    **controls,
) -> Explorer:
    """Show the figure of ``draw`` with a control for each of its arguments.

    ``draw(**values)`` returns Axes, an array of them or a Figure. Each further keyword is an argument of ``draw`` and
    says what it may be: a sequence of numbers (a slider), a sequence of words (buttons or a list), a :class:`Table`
    or :class:`Cells`. ``static`` holds 2 to 6 settings; an argument that a setting does not name has its first value.
    They are drawn in ``columns`` as one picture of at most 1,000 pixels wide, for where no control can be moved. The
    first is where the live figure starts. ``alt`` says in one sentence what the figure shows.

    An error while drawing is shown in words. Raises :class:`CourseError` for settings that the controls do not offer
    and for names that ``draw`` does not take.
    """
    explorer = Explorer(draw, alt, controls, static, columns)
    explorer.show()
    return explorer


class Explorer:
    """A figure and its controls; :func:`explore` makes and shows it."""

    def __init__(self, draw, alt: str, controls: Mapping, static: Sequence[Mapping], columns: int = 2):
        self.draw, self.alt, self.columns = draw, alt, columns
        self.offers = {name: offer(name, options) for name, options in controls.items()}
        self._check(static)
        first = {name: choice.first for name, choice in self.offers.items()}
        self.named = [{k: self.offers[k].resolve(v) for k, v in setting.items()} for setting in static]
        self.static = [first | setting for setting in self.named]
        self.parts, self.words, self.figure, self.source = {}, None, None, None

    def show(self) -> None:
        """Display the static picture, and the live figure where somebody can move its controls."""
        from course_utils.plots import show

        live = is_live()
        pictures = [self.picture(setting, strict=not live) for setting in self.static]
        show(self.grid(pictures), alt=self.alt)
        if live:
            display = sys.modules["IPython"].display.display
            box = self.live(pictures[0])
            view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
            display({"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}, raw=True)
            display({"text/html": _NOTE, "text/plain": ""}, raw=True)

    def picture(self, values: Mapping, strict: bool = False) -> Picture:
        """Draw one setting. With ``strict`` an error that is not the reader's own goes through."""
        from course_utils.plots.style import pixels

        with watched() as seen, figures_closed():
            try:
                rgb, problem = pixels(self.draw(**values)), ""
            except ReaderError as error:
                rgb, problem = None, str(error)
            except Exception as error:
                explained = next(filter(None, (function.explain(error) for function in seen)), "")
                if strict and not explained:
                    raise
                rgb, problem = None, explained or f"The figure cannot be drawn: {_in_words(error)}"
        return Picture(rgb, " ".join(function.label for function in seen), problem)

    def grid(self, pictures: list[Picture]):
        """All static pictures in one figure, each under its setting, pixel for pixel."""
        from course_utils.plots.tiles import tiles

        def words(setting):
            return " · ".join(
                f"{self.offers[k].name} = {self.offers[k].label(v)}" for k, v in setting.items()
            )

        drawn = [p.problem if p.rgb is None else p.rgb for p in pictures]
        labels = dict.fromkeys(p.label for p in pictures if p.label)
        return tiles([words(setting) for setting in self.named], drawn, self.columns, list(labels))

    def live(self, picture: Picture):
        """The widgets: controls above, a line for words, the figure, and whose function drew it."""
        import ipywidgets

        self.words, self.figure, self.source = (ipywidgets.HTML() for _ in range(3))
        for name, choice in self.offers.items():
            self.parts[name] = choice.build(self.static[0][name], self.update, self.say)
        self.put(picture)
        row = {"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "4px 28px"}
        controls = ipywidgets.Box([part.widget for part in self.parts.values()], layout=row)
        box = ipywidgets.VBox([controls, self.words, self.figure, self.source])
        box.add_class("course-live")
        return box

    def update(self) -> None:
        """Draw the figure for what the controls say now."""
        try:
            self.put(self.picture({name: part.read() for name, part in self.parts.items()}))
        except KeyboardInterrupt:  # the kernel's stop button
            self.put(
                Picture(
                    None, problem="Stopped before the figure was ready. Change a control to draw it again."
                )
            )

    def put(self, picture: Picture) -> None:
        """Show a drawing, or the words that stand in its place."""
        from course_utils.plots.style import encoded

        self.figure.value = (
            "" if picture.rgb is None else _img(encoded(picture.rgb, small=False), picture.rgb, self.alt)
        )
        self.say(picture.problem)
        self.source.value = f"<i>{html.escape(picture.label)}</i>" if picture.label else ""

    def say(self, sentence: str) -> None:
        """Show a sentence between the controls and the figure; an empty one clears it."""
        alert = '<p role="alert" style="line-height: 1.4; color: #A33B00; max-width: 60em">{}</p>'
        self.words.value = alert.format(html.escape(sentence)) if sentence else ""

    def _check(self, static) -> None:
        if not callable(self.draw):
            raise CourseError(f"explore() got {self.draw!r} to draw with. Give it a function.")
        if not isinstance(self.alt, str) or not self.alt.strip():
            raise CourseError("explore() needs alt=…: one sentence that says what the figure shows.")
        if not self.offers:
            raise CourseError(
                "explore() has nothing to control. Name an argument of draw: stride=range(1, 4)."
            )
        if isinstance(static, Mapping) or not 2 <= len(static) <= 6:
            raise CourseError(
                f"static={static!r}. Valid: a list of 2 to 6 settings, such as [dict(stride=1), dict(stride=2)]."
            )
        for setting in static:
            if not isinstance(setting, Mapping) or not setting or not set(setting) <= set(self.offers):
                raise CourseError(
                    f"static has {setting!r}. Valid: a dict that names some of {', '.join(self.offers)}."
                )
        try:
            inspect.signature(self.draw).bind(**self.offers)
        except TypeError as error:
            given = ", ".join(self.offers)
            raise CourseError(
                f"draw{inspect.signature(self.draw)} cannot be called with {given}: {error}."
            ) from None

    def _ipython_display_(self):
        """Show nothing more: ``explore`` has shown it."""


@contextmanager
def figures_closed():
    """Close the figures that are opened through pyplot within a ``with`` block; it keeps them until it is told."""
    before = _pyplot_figures()
    try:
        yield
    finally:
        for number in _pyplot_figures() - before:
            sys.modules["matplotlib.pyplot"].close(number)


def _pyplot_figures() -> set[int]:
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()


def is_live() -> bool:
    """Whether somebody can move a control: a kernel whose front end can answer a question, and no ``COURSE_STATIC``.

    papermill, nbclient, nbconvert and nbval execute without standard input; JupyterLab and Colab allow it.
    """
    if os.environ.get("COURSE_STATIC", "") not in ("", "0"):
        return False
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython() if ipython else None, "kernel", None)
    return bool(kernel is not None and getattr(kernel, "_allow_stdin", True))


def _img(png: bytes, rgb: np.ndarray, alt: str) -> str:
    """An image element that keeps its place while it changes, and is decoded before it is painted: no flicker."""
    height, width, _ = rgb.shape
    return (
        f'<img alt="{html.escape(alt)}" width="{width}" height="{height}" decoding="sync" '
        f'style="max-width: 100%; height: auto" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    )


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, CourseError) else f"{type(error).__name__}: {text}"
