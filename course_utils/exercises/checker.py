"""``check``, ``hint`` and ``solution``: judge an answer and say what is wrong with it.

A wrong answer is compared with the wrong answers that people give (diagnosis by imitation): where it gives the same
results as one of them, the reader gets the sentence that explains that mistake.
"""

from __future__ import annotations

import dis
import inspect
import linecache
import re
import sys
from dataclasses import dataclass

from course_utils.exercises import bank
from course_utils.exercises.bank import Case, Exercise
from course_utils.exercises.compare import shown, wrong_entries
from course_utils.exercises.running import Outcome, call, same_randomness, trial

CHECK_MIME = "application/vnd.cnn-course.check+json"
_LONGEST = 1500
_hints_given: dict[str, int] = {}


@dataclass(frozen=True)
class CheckResult:
    """The verdict on an answer: ``status`` is ``passed``, ``wrong``, ``not attempted`` or ``error``."""

    id: str
    status: str
    message: str
    printed: str = ""

    def _ipython_display_(self):
        """Show nothing more: ``check`` has shown the result."""


def check(exercise_id: str, answer) -> CheckResult:
    """Judge an answer, show the verdict and return it. Nothing that the answer does raises an exception here.

    Raises :class:`~course_utils.errors.ExerciseError` for an unknown id.
    """
    result = judge(bank.find(exercise_id), answer)
    if result.printed:
        print(result.printed, end="" if result.printed.endswith("\n") else "\n")
    heading = {
        "passed": "passed",
        "wrong": "is not right yet",
        "not attempted": "not attempted",
        "error": "stopped",
    }[result.status]
    document = {"id": result.id, "status": result.status, "message": result.message}
    _show(f"**Exercise {result.id} {heading}.** {result.message}", {CHECK_MIME: document})
    return result


def hint(exercise_id: str) -> None:
    """Show the next of three hints: a nudge, the method, almost there; then the last one again."""
    exercise = bank.find(exercise_id)
    given = _hints_given.get(exercise.id, 0)
    _hints_given[exercise.id] = given + 1
    number = min(given + 1, len(exercise.hints))
    text = f"**Hint {number} of {len(exercise.hints)}.** {exercise.hints[number - 1]}"
    if given >= len(exercise.hints):
        text += f' (That was the last one. `solution("{exercise.id}")` shows the answer.)'
    _show(text)


def solution(exercise_id: str) -> None:
    """Show the reference solution."""
    exercise = bank.find(exercise_id)
    text = bank.solution_text(exercise)
    _show(f"**Solution of {exercise.id}: {exercise.title}**\n\n```python\n{text}\n```")


def judge(exercise: Exercise, answer) -> CheckResult:
    """Judge an answer without showing anything.

    >>> def twice(x):
    ...     return 2 * x
    >>> squared = bank.Mistake(lambda x: x**2, "That is the square.")
    >>> exercise = Exercise("01.9", "Twice", reference=twice, cases=[Case(3), Case(5)], mistakes=[squared])
    >>> judge(exercise, lambda x: x + x).status
    'passed'
    >>> judge(exercise, lambda x: x * x).message
    'That is the square.'
    """
    try:
        with same_randomness():
            status, message, printed = _verdict(exercise, answer)
    except Exception as error:  # an answer can be or give an object that no look at it survives
        status, printed = "error", ""
        message = f"This answer, of type {type(answer).__name__}, cannot be judged: {type(error).__name__}."
    if len(message) > _LONGEST:
        message = message[:_LONGEST] + " …"
    return CheckResult(exercise.id, status, message, printed)


def _verdict(exercise: Exercise, answer) -> tuple[str, str, str]:
    ask = f'`hint("{exercise.id}")` gives a nudge.'
    missing = answer is None and exercise.reference is not None
    if answer is Ellipsis or missing or (exercise.is_function and _is_stub(answer)):
        return "not attempted", f"Replace the `...` with your answer and run the cell again. {ask}", ""
    if exercise.is_function and not callable(answer):
        text = f'The function itself is needed, without brackets: `check("{exercise.id}", {exercise.name})`. '
        return "wrong", text + f"Given was {shown(answer)}.", ""
    if not exercise.is_function and inspect.isroutine(answer):
        return (
            "wrong",
            f"A value is needed, not the function {shown(answer)}. Call it, or give its result.",
            "",
        )

    if exercise.choices and str(answer).strip().lower() not in [c.lower() for c in exercise.choices]:
        listed = ", ".join(f'"{choice}"' for choice in exercise.choices)
        return "wrong", f"{shown(answer)} is not on the list. Choose one of: {listed}.", ""

    cases = exercise.cases if exercise.is_function else [Case()]
    tried = trial(_called(exercise, answer), cases, exercise.seconds, exercise.observe)
    tried.printed += "".join(f"{o.value.report}\n" for o in tried.outcomes if hasattr(o.value, "report"))
    if tried.expired:
        text = f"It did not finish {_label(exercise, cases[len(tried.outcomes)])} within {exercise.seconds:g} seconds. "
        text += "Look for a loop that never ends: which line changes its condition? "
        text += "An import inside the function counts too: move it above. "
        if tried.abandoned:
            text += "It could not be stopped and still runs: restart the kernel if it gets slow."
        return "error", text.rstrip(), tried.printed
    if _unfinished(tried.outcomes):
        return "not attempted", f"There is still a `...` to replace. {ask}", tried.printed

    wanted = [call(_called(exercise, exercise.reference), case, exercise.observe) for case in cases]
    gaps = [w.difference(o, exercise.tolerance) for w, o in zip(wanted, tried.outcomes, strict=True)]
    changed = [(case, o.changed) for case, o in zip(cases, tried.outcomes, strict=True) if o.changed]
    if not any(gaps) and not changed:
        return "passed", f'Compare with `solution("{exercise.id}")`.', tried.printed
    for mistake in exercise.mistakes:
        if _imitates(exercise, cases, tried.outcomes, wanted, mistake.answer):
            return "wrong", mistake.sentence + _also_changed(exercise, mistake.answer, changed), tried.printed
    if not any(gaps):
        return "wrong", _mutation(exercise, *changed[0]), tried.printed
    first = next(i for i, gap in enumerate(gaps) if gap)
    outcome, where = tried.outcomes[first], _label(exercise, cases[first])
    if outcome.error is not None:
        return "error", _crash(exercise, answer, where, outcome.error), tried.printed
    if not exercise.is_function:
        shape_only = re.search(r"expected;|shape is wrong|Expected \d+ entries", gaps[first])
        tells_the_answer = "xpected" in gaps[first] and not shape_only
        gap = gaps[first]
        if tells_the_answer:
            gap = wrong_entries(wanted[first].value, outcome.value, exercise.tolerance)
        return "wrong", f"{gap} {ask}", tried.printed
    return "wrong", f"{where[0].upper()}{where[1:]}: {gaps[first]} {ask}", tried.printed


def _called(exercise: Exercise, answer):
    return answer if exercise.is_function else lambda: answer


def _imitates(exercise, cases, outcomes: list[Outcome], wanted: list[Outcome], mistake) -> bool:
    """Whether the answer does what the mistake does wherever the mistake runs, and shows its error at least once."""
    shows = False
    for case, outcome, want in zip(cases, outcomes, wanted, strict=True):
        wrong = call(_called(exercise, mistake), case, exercise.observe)
        same = wrong.difference(outcome, exercise.tolerance) is None
        if wrong.error is None and not same:
            return False
        if same and (want.difference(wrong, exercise.tolerance) or (wrong.changed and outcome.changed)):
            shows = True
    return shows


def _is_stub(answer) -> bool:
    """Whether a function's body is only ``...``, ``pass`` or a docstring."""
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    passive = {"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL"}
    steps = [(i.opname, i.argval) for i in dis.get_instructions(code) if i.opname not in passive]
    return steps in ([("LOAD_CONST", None), ("RETURN_VALUE", None)], [("RETURN_CONST", None)])


def _unfinished(outcomes: list[Outcome]) -> bool:
    def open_end(outcome):
        error = outcome.error
        left = isinstance(error, TypeError) and "ellipsis" in str(error)
        raised = isinstance(error, NotImplementedError) and not str(error)  # torch raises it too, with a text
        return raised or left or outcome.value is Ellipsis

    return all(open_end(outcome) for outcome in outcomes)


def _label(exercise: Exercise, case: Case) -> str:
    if not exercise.is_function:
        return ""
    args = [*map(_bare, case.args), *(f"{key}={_bare(value)}" for key, value in case.kwargs.items())]
    return f"for `{exercise.name}({', '.join(args)})`"


def _bare(value) -> str:
    return shown(value, limit=9, width=60).strip("`")


def _also_changed(exercise: Exercise, mistake, changed: list) -> str:
    """What to add to a mistake's sentence for an answer that also overwrites an argument, as the mistake does not."""
    if not changed or call(_called(exercise, mistake), changed[0][0], exercise.observe).changed:
        return ""
    return (
        f" It also changes {_argument(changed[0][1])} of its caller, which may be the cause: work on a copy."
    )


def _argument(key: int | str) -> str:
    return f"argument {key}" if isinstance(key, int) else f"the argument `{key}`"


def _mutation(exercise: Exercise, case: Case, key: int | str) -> str:
    return (
        f"The result is right, but the function changes {_argument(key)} of its caller ({_label(exercise, case)}). "
        "Work on a copy, or build a new array."
    )


def _crash(exercise: Exercise, answer, where: str, error: BaseException) -> str:
    name, text = type(error).__name__, " ".join(str(error).split())
    text = text if len(text) <= 300 else text[:300] + " …"
    if isinstance(error, SystemExit):
        name, text = "SystemExit", "the answer asks Python to quit; use `return` to end a function"
    if isinstance(error, RecursionError):
        text = "the function calls itself without end; which case ends it?"
    line = _own_line(answer, error)
    if line is None and isinstance(error, TypeError) and "argument" in text:
        return (
            f"The function cannot be called as it must be, {where}: {text}. Keep the first line of the stub."
        )
    at = (
        f" in line {line[0]}" + (f" of your code, `{line[1]}`" if line[1] else " of your code")
        if line
        else ""
    )
    text = text.rstrip(".") or "no further text"
    return f"{name}{at}, {where}: {text}{'' if text.endswith('?') else '.'}"


def _own_line(answer, error: BaseException) -> tuple[int, str] | None:
    """The line number and text of the deepest line that the reader wrote."""
    own = getattr(inspect.unwrap(answer) if callable(answer) else answer, "__globals__", None)
    found, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals is own and own is not None:
            found = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    if found is None:
        return None
    text = linecache.getline(*found).strip().replace("`", "'")
    return found[1], text[:100]


def _show(markdown: str, more: dict | None = None) -> None:
    plain = markdown.replace("**", "").replace("```python\n", "").replace("\n```", "")
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(plain)
        return
    ipython.display.display({"text/markdown": markdown, "text/plain": plain, **(more or {})}, raw=True)
