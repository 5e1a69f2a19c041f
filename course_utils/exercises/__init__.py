"""Exercises: ``check("01.1", answer)``, ``hint("01.1")`` and ``solution("01.1")``.

Each lesson declares its exercises in a bank, ``lesson_NN.py``: the reference, the cases it is tried on, and the
wrong answers that people give, each with the sentence that explains it. Lesson 00 shows how they are used.
"""

from course_utils.exercises.checker import CheckResult, check, hint, solution

__all__ = ["CheckResult", "check", "hint", "solution"]
