"""``yours``: the reader's answer to an exercise as a function that draws, or the course's while there is none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

import numpy as np

from course_utils.errors import CourseError
from course_utils.exercises import bank
from course_utils.exercises.checker import judge
from course_utils.exercises.compare import shown
from course_utils.exercises.running import copied

_watching: list[list] = []


class ReaderError(CourseError):
    """The reader's own function cannot draw; the message says why, for the place where the figure would be."""


class Yours:
    """A function of an exercise, called on copies of its arguments; ``label`` says whose it is.

    Raises :class:`ReaderError` when the reader's function raises, gives nothing or gives a value that is not finite.
    """

    def __init__(self, exercise, function, label: str, trouble: str = ""):
        self.exercise, self.function, self.label, self.trouble = exercise, function, label, trouble
        self.mine = function is exercise.reference
        self._last = None

    def __call__(self, *args, **kwargs):
        """What the function gives."""
        for seen in _watching:
            if self not in seen:
                seen.append(self)
        if self.mine:
            return self.function(*args, **kwargs)
        if self.trouble:
            raise ReaderError(f"{self._whose} {self.trouble}")
        try:
            value = self.function(*copied(args), **copied(kwargs))
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            raise ReaderError(f"{self._whose} stops with {type(error).__name__}: {text}") from error
        self._last = args, kwargs, value
        if value is None or value is Ellipsis:
            raise ReaderError(f"{self._whose} gives nothing back. Does it end with a return?")
        if not _finite(value):
            raise ReaderError(
                f"{self._whose} gives {shown(value)}: not every value is finite. "
                "Look for a division by zero, or a place that was never filled."
            )
        return value

    def explain(self, error: Exception) -> str:
        """Why drawing failed with what the reader's function gave last: its kind or shape beside the right one."""
        if self.mine or self._last is None:
            return ""
        args, kwargs, got = self._last
        try:
            wanted = self.exercise.reference(*copied(args), **copied(kwargs))
        except (
            Exception
        ):  # the course's own function fails here too: the settings are at fault, not the reader
            return ""
        if _form(got) == _form(wanted):
            return f"{self._whose} gives {_form(got)}, and the figure cannot be drawn from it: {error}"
        return f"{self._whose} gives {_form(got)}; the figure needs {_form(wanted)}."

    @property
    def _whose(self) -> str:
        return f"Your function for exercise {self.exercise.id}"


def yours(exercise_id: str, function) -> Yours:
    """Return the reader's ``function`` if the exercise is attempted, right or wrong, else the course's reference.

    ``function`` is what the reader passes to ``check``. Call the result inside the function that draws: the figure then
    says whose function drew it. An answer that never ends is not called again. Raises :class:`~course_utils.errors.ExerciseError` for an unknown id.

    >>> yours("01.3", ...).label
    "Drawn by the course's function: exercise 01.3 is not answered yet."
    >>> yours("01.3", lambda c_in, c_out, k, height, width: 0)(3, 8, 3, 32, 32)
    0
    """
    exercise = bank.find(exercise_id)
    if not exercise.is_function:
        raise CourseError(f"exercise {exercise_id} asks for a value; only a function can draw.")
    result = judge(exercise, function)
    if result.status == "not attempted":
        text = f"Drawn by the course's function: exercise {exercise_id} is not answered yet."
        return Yours(exercise, exercise.reference, text)
    label = f"Drawn by your function of exercise {exercise_id}"
    label += (
        "." if result.status == "passed" else f', which is not right yet: check("{exercise_id}", …) says why.'
    )
    trouble = ""
    if not isinstance(function, Callable):
        trouble = f"is {shown(function)}, not a function. Give it without brackets: {exercise.name}."
    elif result.message.startswith("It did not finish"):
        trouble = "did not finish in time. Look for a loop that never ends, then run this cell again."
    return Yours(exercise, function, label, trouble)


@contextmanager
def watched():
    """Collect the :class:`Yours` that are called within a ``with`` block."""
    seen: list[Yours] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def _finite(value) -> bool:
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    try:
        return bool(np.isfinite(np.asarray(value, dtype=float)).all())
    except (TypeError, ValueError):
        return True  # not numbers; drawing will tell


def _form(value) -> str:
    """The kind and shape of a value in words.

    >>> _form(np.zeros((2, 3))), _form(3.0)
    ('an array of shape (2, 3)', 'a float')
    """
    shape = getattr(value, "shape", None)
    if shape:
        return f"an array of shape {tuple(shape)}"
    name = "number" if isinstance(value, np.generic) else type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
