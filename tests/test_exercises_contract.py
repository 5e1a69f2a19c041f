"""One contract over the bank of every lesson: what an exercise must have, and that each mistake is told apart."""

import builtins
import functools
import symtable

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import lessons
from course_utils.exercises import bank
from course_utils.exercises.bank import Mistake
from course_utils.exercises.checker import judge
from course_utils.notebooks import exercise_of

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


def global_names(table):
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return own.union(*map(global_names, table.get_children()))


def bound_names(table):
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}


@pytest.mark.parametrize("lesson", LESSONS)
def test_solution_runs_where_it_is_pasted(lesson):
    known, seen = set(dir(builtins)), {}
    for cell in nbformat.read(lessons.find(lesson).path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        if "exercise" not in cell.metadata.get("tags", []):
            known |= bound_names(symtable.symtable(cell.source, "cell", "exec"))
            continue
        key, _ = exercise_of(cell)
        table = symtable.symtable(bank.solution_text(everything()[key]), key, "exec")
        seen[key] = global_names(table) - bound_names(table) - known
    assert set(seen) == set(bank.exercises(lesson))
    assert not any(seen.values()), "neither built in nor bound by the solution or a cell above"


def height_of_one(a, b):
    wide, high = max(0, min(a[2], b[2]) - max(a[0], b[0])), max(0, a[3] - max(a[1], b[1]))
    return wide * high / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high)


def apart_on_one_side(a, b):
    if b[0] > a[2] or b[1] > a[3]:
        return 0
    shared = (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def removed_while_going(iou, scores, labels, threshold):
    left, keep = list(np.argsort(-scores)), []
    for best in left:
        keep.append(int(best))
        for i in left:
            if i != best and labels[i] == labels[best] and iou[best, i] > threshold:
                left.remove(i)
    return keep


def left_over_right(point, box):
    left, top, right, bottom = point[0] - box[0], point[1] - box[1], box[2] - point[0], box[3] - point[1]
    return (left / right * min(top, bottom) / max(top, bottom)) ** 0.5


def lessons_equal_error(scores, genuine):
    order = np.argsort(-scores)
    far, frr = np.cumsum(~genuine[order]) / (~genuine).sum(), 1 - np.cumsum(genuine[order]) / genuine.sum()
    k = np.argmax(far >= frr)
    return (far[k] + frr[k]) / 2


def as_many_as_named(vectors, directions, person, scale, margin):
    cosine = F.normalize(vectors) @ F.normalize(directions).T
    harder = (cosine.clamp(-1 + 1e-6, 1 - 1e-6).arccos() + margin).cos()
    return scale * torch.where(F.one_hot(person).bool(), harder, cosine)


def scaled_by_size(maps, gradients):
    heat = (gradients.mean((1, 2))[:, None, None] * maps).sum(0)
    return np.maximum(heat, 0) / np.abs(heat).max()


def widened_below(x, low, high):
    low = min(low, 0)
    scale = (high - low) / 255
    return np.clip(np.round(x / scale) + round(-low / scale), 0, 255)


def above_target(labels, accuracy, target):
    if accuracy[0] > target:
        return labels[0]
    for i in range(1, len(labels)):
        if accuracy[i] > target:
            share = (target - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1])
            return labels[i - 1] * (labels[i] / labels[i - 1]) ** share
    return None


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("11.7", above_target),
        ("12.1", scaled_by_size),
        ("12.7", lambda a, s, t: ((a == s) & (s != t)).sum() / (a == s).sum()),
        ("14.1", height_of_one),
        ("14.1", apart_on_one_side),
        ("14.3", removed_while_going),
        ("14.6", left_over_right),
        ("16.4", lessons_equal_error),
        ("16.7", as_many_as_named),
        ("20.1", lambda r, c, a, q: not (np.abs(c - r) > a + q * np.abs(r)).any()),
        ("20.1", lambda r, c, a, q: bool((abs(abs(c) - abs(r)) <= a + q * abs(r)).all())),
        ("20.2", widened_below),
        ("20.3", lambda t, w, q: np.sort(t[w:])[round(q * len(t[w:])) - 1]),
    ],
)
def test_a_wrong_answer_that_is_right_in_most_cases_does_not_pass(key, answer):
    assert judge(everything()[key], answer).status in ("wrong", "error")
