"""What a control offers: numbers on a slider, words on buttons; tables.py has those that are tables.

Each kind says which values it offers (``resolve``), how a value is named in a caption (``label``) and how it is chosen
(``build``: a widget, given a function to call when the value changes and one that shows a sentence).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from course_utils.errors import CourseError


@dataclass
class Part:
    """A control on the screen: its widget, a function that reads its value, and the widgets inside by name."""

    widget: Any
    read: Callable[[], Any]
    inner: dict = field(default_factory=dict)


class Numbers:
    """A slider over a sequence of numbers."""

    def __init__(self, name: str, values: Sequence):
        self.name, self.values = name, list(values)

    @property
    def first(self):
        """The value that a static setting gets when it does not name one."""
        return self.values[0]

    def resolve(self, value):
        """The offered value that equals ``value``. Raises :class:`CourseError` when there is none."""
        for known in self.values:
            if known is value or (self._same(known, value)):
                return known
        offered = ", ".join(self.label(v) for v in self.values)
        raise CourseError(f"static has {self.name}={value!r}, which its control does not offer: {offered}.")

    def label(self, value) -> str:
        """The value as a reader sees it.

        >>> Numbers("sigma", [0.1, 0.30000000000000004]).label(0.30000000000000004)
        '0.3'
        """
        return number(value)

    def build(self, value, changed, refuse) -> Part:
        """A slider that moves from value to value, also by the arrow keys."""
        import ipywidgets

        options = [(self.label(v), v) for v in self.values]
        look = described(self.name, "340px") | {"continuous_update": False}
        widget = ipywidgets.SelectionSlider(options=options, value=value, **look)
        widget.observe(lambda _: changed(), "value")
        return Part(widget, lambda: widget.value)

    @staticmethod
    def _same(known, value) -> bool:
        numeric = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        return numeric and math.isclose(known, value, rel_tol=1e-9, abs_tol=1e-12)


class Words(Numbers):
    """Buttons, or a drop-down list where there are many or long words."""

    def label(self, value) -> str:
        """The word itself."""
        return str(value)

    def build(self, value, changed, refuse) -> Part:
        """One button a word, or a drop-down list."""
        import ipywidgets

        options = [(self.label(v), v) for v in self.values]
        few = len(options) <= 6 and sum(len(text) + 4 for text, _ in options) <= 80
        if few:
            widget = ipywidgets.ToggleButtons(
                options=options, value=value, **described(self.name, "max-content")
            )
            widget.style.button_width = "auto"
        else:
            widget = ipywidgets.Dropdown(options=options, value=value, **described(self.name, "300px"))
        widget.observe(lambda _: changed(), "value")
        return Part(widget, lambda: widget.value)

    @staticmethod
    def _same(known, value) -> bool:
        return type(known) is type(value) and known == value


def offer(name: str, options):
    """The control for one keyword of ``explore``. Raises :class:`CourseError` for what no control can offer.

    >>> type(offer("stride", range(1, 4))).__name__, type(offer("kernel", ["blur", "edge"])).__name__
    ('Numbers', 'Words')
    """
    readable = name.replace("_", " ")
    if hasattr(options, "build"):
        options = copy.copy(options)  # one table may serve two figures, under two names
        options.name = readable
        return options
    values = None
    if isinstance(options, (Sequence, np.ndarray)) and not isinstance(options, str) and np.ndim(options) == 1:
        values = [v.item() if isinstance(v, np.generic) else v for v in options]
    if not values:
        raise CourseError(
            f"{name}={options!r} offers nothing to choose. Give a sequence of numbers or of words, a Table or Cells."
        )
    if len({repr(v) for v in values}) < len(values):
        raise CourseError(f"{name}={options!r} offers a value twice.")
    kinds = {"word" if isinstance(v, (str, bool)) else "number" if _finite(v) else "other" for v in values}
    if len(kinds) > 1 or "other" in kinds:
        raise CourseError(f"{name}={options!r} mixes kinds. Give finite numbers only, or words only.")
    return (Words if kinds == {"word"} else Numbers)(readable, values)


def number(value: float) -> str:
    """A number in at most four digits, without a needless point.

    >>> number(2.0), number(-0.125), number(1 / 9), number(12345)
    ('2', '-0.125', '0.1111', '12345')
    """
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"


def parsed(text: str) -> float | None:
    """The finite number that a reader typed, or None.

    >>> parsed("-0.5"), parsed(" 1/9 "), parsed("−2"), parsed("one"), parsed("1/0"), parsed("nan")
    (-0.5, 0.1111111111111111, -2.0, None, None, None)
    """
    text = text.strip().replace("−", "-")
    try:
        value = float(Fraction(text.replace(" ", ""))) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def described(name: str, width: str) -> dict:
    """What every control has: its name in full beside it."""
    return {"description": name, "style": {"description_width": "initial"}, "layout": {"width": width}}


def _finite(value) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
