"""How a lesson declares its exercises, and where they are found by their id."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from course_utils.errors import ExerciseError


class Case:
    """The arguments of one call: ``Case(5, 3, padding=1)`` tries ``answer(5, 3, padding=1)``."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give, and the sentence that explains it.

    ``answer`` is a function where the reference is a function, else a value. An answer that gives the same results
    gets ``sentence``.
    """

    answer: Any
    sentence: str


@dataclass(frozen=True)
class Exercise:
    """One exercise: a function to write (``reference`` is a function, with ``cases``) or a value to find.

    ``hints`` are three: a nudge, the method, almost there. ``solution`` is source code; by default it is the source
    of the reference. ``tolerance`` is relative; by default whole numbers must be exact and others agree to 1e-4.
    ``observe`` turns what an answer gives into what is compared, for results that have no ``==`` of their own
    (a module → its output on a fixed input); if that has a ``report``, the reader sees it. ``choices`` are the values
    that may be given, where they are few. ``seconds`` limits the whole answer. ``name`` is the answer's name in
    messages; by default the reference's.

    >>> Exercise("01.1", "Twice", reference=lambda x: 2 * x, cases=[Case(3)], name="twice").name
    'twice'
    """

    id: str
    title: str
    reference: Any
    cases: Sequence[Case] = ()
    mistakes: Sequence[Mistake] = ()
    hints: Sequence[str] = ()
    solution: str | None = None
    name: str = ""
    tolerance: float | None = None
    observe: Callable | None = None
    choices: Sequence[str] = ()
    seconds: float = 5.0

    def __post_init__(self):
        if not re.fullmatch(r"\d\d\.\d+", self.id):
            raise ExerciseError(f"exercise id {self.id!r}: valid is NN.k, such as '01.3'.")
        if self.is_function != bool(self.cases):
            raise ExerciseError(f"exercise {self.id}: a function needs cases, and a value takes none.")
        if not self.name:
            object.__setattr__(self, "name", self.reference.__name__ if self.is_function else "answer")

    @property
    def is_function(self) -> bool:
        """Whether the reader writes a function (else: finds a value)."""
        return inspect.isroutine(self.reference)


def lessons() -> list[str]:
    """The numbers of the lessons that have a bank, in order: ``["00", "01", …]``."""
    return sorted(path.stem[-2:] for path in Path(__file__).parent.glob("lesson_[0-9][0-9].py"))


def exercises(lesson: str) -> dict[str, Exercise]:
    """The exercises of a lesson (``"01"`` or ``"01_convolution"``), by id.

    Raises :class:`ExerciseError` when the lesson has no bank, or when its bank names an id twice.
    """
    number, name = lesson[:2], f"{__package__}.lesson_{lesson[:2]}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        have = ", ".join(lessons()) or "none"
        raise ExerciseError(f"lesson {number!r} has no exercises. Lessons with exercises: {have}.") from None
    found = {exercise.id: exercise for exercise in module.EXERCISES}
    if len(found) < len(module.EXERCISES) or any(not key.startswith(f"{number}.") for key in found):
        raise ExerciseError(f"lesson_{number}.py: every id must be its own and start with {number}.")
    return found


def find(exercise_id: str) -> Exercise:
    """Return an exercise by its id.

    Raises :class:`ExerciseError` that lists the valid ids of that lesson.

    >>> find("1")
    Traceback (most recent call last):
    course_utils.errors.ExerciseError: unknown exercise '1'. An id is a text such as "01.3": lesson 01, exercise 3.
    """
    if not (isinstance(exercise_id, str) and re.fullmatch(r"\d\d\.\d+", exercise_id)):
        raise ExerciseError(
            f'unknown exercise {exercise_id!r}. An id is a text such as "01.3": lesson 01, exercise 3.'
        )
    have = exercises(exercise_id[:2])
    if exercise_id not in have:
        raise ExerciseError(
            f"unknown exercise {exercise_id!r}. Exercises of lesson {exercise_id[:2]}: {', '.join(have)}."
        )
    return have[exercise_id]


def solution_text(exercise: Exercise) -> str:
    """The reference solution as source code to read, helpers of the same bank included.

    >>> solution_text(Exercise("01.2", "A value", reference=(3, 3), name="shape"))
    'shape = (3, 3)'
    """
    if exercise.solution is not None:
        return textwrap.dedent(exercise.solution).strip()
    if not exercise.is_function:
        return f"{exercise.name} = {exercise.reference!r}"
    imports = [line for line in _imports(exercise.reference) if line not in IN_EVERY_LESSON]
    return "\n\n".join(
        ["\n".join(imports)] * bool(imports) + [*_helpers(exercise.reference), _source(exercise.reference)]
    )


def solution_source(exercise_id: str, name: str) -> str:
    """The code that stands in for the reader's: it defines ``name`` and imports what it uses."""
    return runnable_solution(find(exercise_id), name)


def runnable_solution(exercise: Exercise, name: str) -> str:
    """Like :func:`solution_source`, for an exercise that is at hand.

    >>> print(runnable_solution(Exercise("01.2", "A value", reference=(3, 3), name="shape"), "size"))
    size = (3, 3)
    """
    text = solution_text(exercise)
    text = re.sub(rf"^def {exercise.name}\(", f"def {name}(", text, flags=re.MULTILINE)
    text = re.sub(rf"^{exercise.name} =", f"{name} =", text, flags=re.MULTILINE)
    text = re.sub(rf"\b{exercise.name}\(", f"{name}(", text)
    if exercise.is_function and exercise.solution is None and exercise.reference.__name__ != exercise.name:
        text = re.sub(rf"\b{exercise.reference.__name__}\(", f"{name}(", text)
    defined = [_defined(node) for node in ast.parse(text).body]
    if name not in defined:
        text += f"\n{name} = {next(d for d in reversed(defined) if d)}"
    imports = _imports(exercise.reference) if exercise.is_function else []
    return "\n".join(imports + [""] * (2 if imports else 0)) + text


def solutions_markdown(lesson: str) -> str:
    """The page ``notebooks/solutions/NN_*.md``: each exercise with its solution and its usual mistakes."""
    from course_utils.lessons import TITLES

    names = [name for name in TITLES if name.startswith(lesson[:2])]
    name = names[0] if names else lesson
    title = TITLES.get(name, lesson)
    lines = [f"# Solutions to lesson {lesson[:2]}: {title}", ""]
    lines += [
        f"Try each exercise in [the lesson](../{name}.ipynb) before you read on: `check`, then `hint`.",
        "",
    ]
    for exercise in exercises(lesson).values():
        lines += [f"## {exercise.id} {exercise.title}", "", "```python", solution_text(exercise), "```", ""]
        lines += ["Usual mistakes:", "", *(f"- {mistake.sentence}" for mistake in exercise.mistakes), ""]
    return "\n".join(lines)


# Other modules stand above a solution, so that it runs where it is pasted.
IN_EVERY_LESSON = {"import numpy as np", "import torch", "import torch.nn.functional as F"}


def _source(function: FunctionType) -> str:
    return textwrap.dedent(inspect.getsource(function)).strip()


def _global_names(function: FunctionType) -> dict[str, Any]:
    """What a function uses from its module: names in its code and in the functions within it."""
    names, codes = [], [function.__code__]
    for code in codes:
        names += code.co_names
        codes += [const for const in code.co_consts if inspect.iscode(const)]
    return {name: function.__globals__[name] for name in dict.fromkeys(names) if name in function.__globals__}


def _needed(function: FunctionType) -> dict[str, Any]:
    """The same, with what its helpers use; helpers before those that use them."""
    found: dict[str, Any] = {}

    def visit(current):
        for name, thing in _global_names(current).items():
            if name in found or thing is function:
                continue
            if _is_helper(thing, function):
                visit(thing)
            found[name] = thing

    visit(function)
    return found


def _is_helper(thing, function) -> bool:
    return isinstance(thing, FunctionType) and thing.__module__ == function.__module__


def _helpers(function: FunctionType) -> list[str]:
    blocks = []
    for name, thing in _needed(function).items():
        if _is_helper(thing, function):
            blocks.append(_source(thing))
        elif not isinstance(thing, ModuleType) and getattr(thing, "__module__", None) is None:
            blocks.append(f"{name} = {thing!r}")
    return blocks


def _imports(function: FunctionType) -> list[str]:
    lines = []
    for name, thing in _needed(function).items():
        if isinstance(thing, ModuleType):
            lines.append(f"import {thing.__name__}" + (f" as {name}" if name != thing.__name__ else ""))
        elif not _is_helper(thing, function) and getattr(thing, "__module__", None):
            renamed = f" as {name}" if name != thing.__name__ else ""
            lines.append(f"from {thing.__module__} import {thing.__name__}{renamed}")
    return sorted(lines)


def _defined(node: ast.stmt) -> str | None:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None
