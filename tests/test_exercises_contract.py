"""One contract over the bank of every lesson: what an exercise must have, and that each mistake is told apart."""

import functools

import pytest

from course_utils.exercises import bank
from course_utils.exercises.bank import Mistake
from course_utils.exercises.checker import judge

LESSONS = bank.lessons()


@functools.cache
def everything() -> dict[str, bank.Exercise]:
    return {key: exercise for lesson in LESSONS for key, exercise in bank.exercises(lesson).items()}


EXERCISES = list(everything())


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_enough_exercises(lesson):
    ids = list(bank.exercises(lesson))
    assert len(ids) >= (3 if lesson == "00" else 5), ids
    assert ids == [f"{lesson}.{k}" for k in range(1, len(ids) + 1)], "ids count from 1 without gaps"


@pytest.mark.parametrize("key", EXERCISES)
def test_exercise_is_complete(key):
    exercise = everything()[key]
    assert exercise.title
    assert len(exercise.mistakes) >= 4, f"{key} has {len(exercise.mistakes)} mistakes; it needs 4"
    assert all(isinstance(m, Mistake) for m in exercise.mistakes)
    sentences = [m.sentence.strip() for m in exercise.mistakes]
    assert len(set(sentences)) == len(sentences) and all(len(s) > 20 for s in sentences), f"{key}: sentences"
    hints = [h.strip() for h in exercise.hints]
    assert len(hints) == 3 and all(hints) and len(set(hints)) == 3, f"{key}: three different hints"


@pytest.mark.parametrize("key", EXERCISES)
def test_reference_passes(key):
    exercise = everything()[key]
    result = judge(exercise, exercise.reference)
    assert result.status == "passed", result.message


@pytest.mark.parametrize("key", EXERCISES)
def test_each_mistake_gets_its_own_sentence(key):
    exercise = everything()[key]
    for number, mistake in enumerate(exercise.mistakes):
        result = judge(exercise, mistake.answer)
        assert result.status == "wrong", f"mistake {number} of {key} ({mistake.sentence}): {result}"
        assert result.message == mistake.sentence, f"mistake {number} of {key} is not told apart"


@pytest.mark.parametrize("key", EXERCISES)
def test_no_two_mistakes_are_alike_in_either_order(key):
    exercise = everything()[key]
    turned = exercise.__class__(**{**vars(exercise), "mistakes": tuple(reversed(exercise.mistakes))})
    for mistake in turned.mistakes:
        assert judge(turned, mistake.answer).message == mistake.sentence, (
            f"{key}: another mistake gives the same results"
        )


@pytest.mark.parametrize("key", EXERCISES)
def test_solution_runs_alone_and_passes(key):
    exercise, space = everything()[key], {}
    source = bank.solution_source(key, "my_answer")
    exec(compile(source, f"<solution of {key}>", "exec"), space)  # noqa: S102 - our own source, under test
    result = judge(exercise, space["my_answer"])
    assert result.status == "passed", f"{source}\n{result.message}"


@pytest.mark.parametrize("key", EXERCISES)
def test_unanswered_is_not_an_error(key):
    assert judge(everything()[key], ...).status == "not attempted"


@pytest.mark.parametrize("lesson", LESSONS)
def test_solutions_page_names_every_exercise(lesson):
    page = bank.solutions_markdown(lesson)
    for key, exercise in bank.exercises(lesson).items():
        assert f"## {key} {exercise.title}" in page
        assert all(m.sentence in page for m in exercise.mistakes)
