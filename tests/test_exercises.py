"""The checker against every answer that misbehaves."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from course_utils.errors import ExerciseError
from course_utils.exercises import bank, check, hint, running, solution
from course_utils.exercises.bank import Case, Exercise, Mistake
from course_utils.exercises.checker import judge
from course_utils.exercises.compare import difference, shown, wrong_entries


def correlate(x, k):
    """Slide k over x without flipping it."""
    return np.array([x[i : i + len(k)] @ k for i in range(len(x) - len(k) + 1)])


def flipped(x, k):
    return correlate(x, k[::-1])


def one_short(x, k):
    return correlate(x, k)[:-1]


def averaged(x, k):
    return correlate(x, k) / len(k)


def in_place(x, k):
    result = correlate(x, k)
    x *= 0
    return result


FLIPPED, SHORT, AVERAGED = "The kernel is flipped.", "One position is missing.", "It divides by the length."
CASES = [Case(np.arange(6.0) ** 2, np.array([1.0, 2.0, 4.0])), Case(np.arange(4.0), np.ones(2))]
EXERCISE = Exercise(
    "77.1",
    "Correlation",
    reference=correlate,
    cases=CASES,
    mistakes=[Mistake(flipped, FLIPPED), Mistake(one_short, SHORT), Mistake(averaged, AVERAGED)],
    hints=("Slide.", "Multiply and add.", "np.dot"),
    seconds=0.4,
)
VALUE = Exercise(
    "77.2",
    "Shape",
    reference=(3, 32),
    name="shape",
    hints=("a", "b", "c"),
    mistakes=[Mistake((32, 3), "Turned.")],
)


@pytest.fixture
def lesson(monkeypatch):
    module = types.ModuleType("course_utils.exercises.lesson_77")
    module.EXERCISES = [EXERCISE, VALUE]
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_right_answers_pass_whatever_their_type():
    import torch

    assert judge(EXERCISE, correlate).status == "passed"
    assert judge(EXERCISE, lambda x, k: np.correlate(x, k).astype(np.float32)).status == "passed"
    assert judge(EXERCISE, lambda x, k: [float(v) for v in np.correlate(x, k)]).status == "passed"
    assert (
        judge(EXERCISE, lambda x, k: torch.from_numpy(np.correlate(x, k)).bfloat16().double()).status
        == "passed"
    )
    assert (
        judge(EXERCISE, lambda x, k: torch.from_numpy(np.correlate(x, k)).requires_grad_()).status == "passed"
    )


@pytest.mark.parametrize(
    ("answer", "sentence"), [(flipped, FLIPPED), (one_short, SHORT), (averaged, AVERAGED)]
)
def test_a_mistake_gets_its_sentence(answer, sentence):
    result = judge(EXERCISE, lambda x, k: answer(x.copy(), k).astype(np.float32))
    assert (result.status, result.message) == ("wrong", sentence)


def test_imitation_needs_every_case_where_the_mistake_runs():
    def flipped_once(x, k):
        return flipped(x, k) if len(k) == 3 else correlate(x, k) + 1

    result = judge(EXERCISE, flipped_once)
    assert result.status == "wrong" and FLIPPED not in result.message


def test_imitation_by_the_same_exception():
    def root(x):
        return abs(x) ** 0.5

    def careless(x):
        if x < 0:
            raise ValueError(x)
        return x**0.5

    exercise = Exercise(
        "77.3", "t", reference=root, cases=[Case(4), Case(-4)], mistakes=[Mistake(careless, "Signs.")]
    )
    assert judge(exercise, careless).message == "Signs."
    assert judge(exercise, lambda x: 1 / 0).status == "error"


def test_an_expected_exception():
    def positive(x):
        if x < 0:
            raise ValueError("negative")
        return x

    exercise = Exercise("77.3", "t", reference=positive, cases=[Case(4), Case(-4)])
    assert judge(exercise, positive).status == "passed"
    assert "ValueError is expected" in judge(exercise, lambda x: x).message


def stub_dots(x, k): ...  # fmt: skip


def stub_documented(x, k):
    """Do it."""


def stub_pass(x, k):
    pass


def stub_raises(x, k):
    raise NotImplementedError


def stub_half_done(x, k):
    result = ...
    return result + 1


def stub_returns_dots(x, k):
    return ...


@pytest.mark.parametrize(
    "answer",
    [..., None, stub_dots, stub_documented, stub_pass, stub_raises, stub_half_done, stub_returns_dots],
)
def test_unanswered(answer):
    assert judge(EXERCISE, answer).status == "not attempted"


def test_an_answer_that_torch_has_not_implemented_was_attempted():
    import torch

    result = judge(EXERCISE, lambda x, k: (torch.from_numpy(x) == 1).mean())
    assert result.status == "error" and "mean()" in result.message, result


def forever(x, k):
    while True:
        pass


def forever_with_bare_except(x, k):
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722, S110
            pass


def forever_printing(x, k):
    while True:
        try:
            print("more and more")
        except BaseException:
            print("never give up")


def asleep(x, k):
    time.sleep(20)


@pytest.mark.parametrize("answer", [forever, forever_with_bare_except, forever_printing, asleep])
def test_endless_answers_are_stopped(answer, capsys):
    began = time.monotonic()
    result = judge(EXERCISE, answer)
    assert time.monotonic() - began < 10
    assert result.status == "error" and "did not finish" in result.message
    assert "An import inside the function counts too" in result.message
    assert len(result.printed) < 1200
    assert judge(EXERCISE, correlate).status == "passed", "the next answer runs as if nothing had happened"
    time.sleep(0.1)
    assert "more" not in capsys.readouterr().out


@pytest.mark.parametrize("answer", [forever, forever_with_bare_except, forever_printing])
def test_a_stopped_loop_leaves_no_thread_and_the_streams_as_they_were(answer):
    before, streams = set(threading.enumerate()), (sys.stdout, sys.stderr)
    assert "still runs" not in judge(EXERCISE, answer).message
    assert set(threading.enumerate()) <= before
    if not any(getattr(thread, "late", False) for thread in before):
        assert (sys.stdout, sys.stderr) == streams


@pytest.mark.parametrize("pauses", range(4))
def test_an_exception_that_comes_as_the_answer_ends_leaves_no_thread(pauses, monkeypatch):
    """Seen on a busy machine: the thread died of it before `threading` had taken it off its list."""
    raise_in = running._raise_in

    def raise_late(thread, depth):
        end = time.monotonic() + 0.05
        while time.monotonic() < end and not thread.left:
            time.sleep(0)
        for _ in range(pauses):
            time.sleep(0)
        raise_in(thread, depth=3)

    monkeypatch.setattr(running, "_raise_in", raise_late)
    before = set(threading.enumerate())
    for _ in range(10):
        assert not running.trial(forever_printing, EXERCISE.cases[:1], seconds=0.002).abandoned
        assert set(threading.enumerate()) <= before


def crashing(x, k):
    scale = 0
    return x / k[7] / scale


def endless_recursion(x, k):
    return endless_recursion(x, k)


class Vicious:
    def __getattribute__(self, name):
        raise RuntimeError("no attributes")


class Nasty:
    def __eq__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("no text")


def raises(error):
    def answer(x, k):
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (crashing, "error", ["IndexError", "return x / k[7] / scale", "for `correlate("]),
        (endless_recursion, "error", ["RecursionError", "calls itself without end"]),
        (lambda x, k: sys.exit(3), "error", ["SystemExit", "use `return`"]),
        (raises(KeyboardInterrupt()), "error", ["KeyboardInterrupt"]),
        (raises(MemoryError()), "error", ["MemoryError"]),
        (raises(ValueError("x" * 9999)), "error", ["ValueError"]),
        (lambda x: x, "error", ["cannot be called", "1 positional argument", "first line"]),
        (lambda x, k: correlate(x, k) * np.nan, "wrong", ["4 of 4 values are NaN"]),
        (
            lambda x, k: correlate(x, k) + np.array([0, np.inf, 0, 0])[: len(x) - len(k) + 1],
            "wrong",
            ["are inf"],
        ),
        (lambda x, k: correlate(x, k)[None], "wrong", ["`(4,)`", "`(1, 4)`"]),
        (lambda x, k: [*map(str, x)], "wrong", ["an array or tensor is expected", "type list"]),
        (lambda x, k: None, "not attempted", []),
        (lambda x, k: print(x), "wrong", ["None", "`return`"]),
        (lambda x, k: Nasty(), "wrong", ["Nasty"]),
        (lambda x, k: (v for v in x), "wrong", ["type generator"]),
        (lambda x, k: np.zeros((3000, 3000)), "wrong", ["`(3000, 3000)`"]),
        (lambda x, k: "y" * 10**7, "wrong", ["type str"]),
        (in_place, "wrong", ["The result is right, but", "argument 1", "copy"]),
        (correlate(*CASES[0].args), "wrong", ["without brackets", 'check("77.1", correlate)']),
        (Nasty(), "wrong", ["without brackets"]),
        (Nasty, "error", ["cannot be called"]),
        (lambda x, k: Vicious(), "error", ["RuntimeError", "no attributes"]),
        (lambda x, k: [[1, 2], [3]], "wrong", ["type list"]),
    ],
)
def test_bad_answers_get_a_clear_message(answer, status, words, capsys):
    result = judge(EXERCISE, answer)
    assert result.status == status, result
    for word in words:
        assert word in result.message
    assert len(result.message) < 1600 and "\n" not in result.message
    assert "Traceback" not in capsys.readouterr().err


def test_an_answer_that_survives_no_look():
    assert "cannot be judged" in judge(EXERCISE, Vicious()).message


def test_arguments_and_random_numbers_of_the_reader_are_untouched():
    import torch

    def noisy(x, k):
        x[:] = np.random.rand(len(x))
        return torch.rand(3)

    before, state, own = CASES[0].args[0].copy(), torch.get_rng_state(), np.random.get_state()[1].copy()
    for answer in (noisy, EXERCISE.reference, *(mistake.answer for mistake in EXERCISE.mistakes)):
        judge(EXERCISE, answer)
        assert np.array_equal(CASES[0].args[0], before)
        assert torch.equal(torch.get_rng_state(), state)
        assert np.array_equal(np.random.get_state()[1], own)


def test_tensor_arguments_keep_their_gradient():
    import torch

    def slope(x):
        (gradient,) = torch.autograd.grad((x**2).sum(), x)
        return gradient

    exercise = Exercise("77.3", "t", reference=slope, cases=[Case(torch.ones(2, requires_grad=True) * 3)])
    assert judge(exercise, slope).status == "passed"


def test_observe_compares_what_has_no_equality():
    import torch

    def net(n):
        layer = torch.nn.Linear(n, 1)
        torch.nn.init.ones_(layer.weight)
        return layer

    def weights(layer):
        return layer.weight

    exercise = Exercise("77.3", "t", reference=net, cases=[Case(2), Case(3)], observe=weights)
    assert judge(exercise, net).status == "passed"
    assert judge(exercise, lambda n: torch.nn.Linear(n, 1)).status == "wrong"
    assert judge(exercise, lambda n: 3).status == "error"


@pytest.mark.parametrize("answer", [(3, 32), [3, 32], np.array([3, 32]), (np.int64(3), 32.0)])
def test_right_values(answer):
    assert judge(VALUE, answer).status == "passed"


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ((32, 3), "wrong", "Turned."),
        ([32, 3], "wrong", "Turned."),
        ((3, 31), "wrong", "Entry `1`, counted from 0, is not right; the other is."),
        ((4, 31), "wrong", "None of the entries is right yet."),
        ((3,), "wrong", "Expected 2 entries"),
        ("3, 32", "wrong", "type str"),
        (forever, "wrong", "not the function"),
        (..., "not attempted", ""),
        (None, "not attempted", ""),
    ],
)
def test_values(answer, status, words):
    result = judge(VALUE, answer)
    assert result.status == status and words in result.message, result


def test_wrong_entries_are_named_but_never_give_the_answer():
    assert (
        wrong_entries([1, 2, 3, 4], [1, 0, 3, 0])
        == "Entries `1`, `3`, counted from 0, are not right; the others are."
    )
    assert wrong_entries([True, False, True], [True, True, False]) == "2 of the 3 entries are not right."
    assert wrong_entries([1, 2], np.array([5, 6])) == "None of the entries is right yet."
    assert wrong_entries(3, 4) == "That is not it."


def test_comparison_is_by_meaning():
    import torch

    same = [
        (3, torch.tensor(3.0)),
        (3, np.float32(3)),
        (0.5, 0.50001),
        ("Stride ", "stride"),
        ((1, 2), torch.Size([1, 2])),
        (True, np.bool_(True)),
        ([8, 0.25], [Fraction(8), Decimal("0.25")]),
        ({"a": np.ones(2)}, {"a": torch.ones(2)}),
        ({1, 2}, {2, 1}),
        ([np.ones(2), 3], (torch.ones(2), 3.0)),
        (np.array([1.0, np.nan]), torch.tensor([1.0, np.nan])),
        (float("inf"), np.inf),
        (1 + 2j, np.complex64(1 + 2j)),
        (np.array(["a", "b"]), ["a", "B"]),
        (np.eye(2), [[1, 0], torch.tensor([0, 1])]),
        ([np.ones(2), np.zeros(2)], np.array([[1, 1], [0, 0]])),
        (range(3), [0, 1, 2]),
        (np.array([], dtype=float), np.array([])),
    ]
    for expected, got in same:
        assert difference(expected, got) is None, (expected, got)
    different = [
        (100_000, 100_001),
        (100_000, 100_001.0),
        (1.0, 1.001),
        (1e-9, 0.5),
        (True, 1),
        (1, True),
        (1, "1"),
        ("a", "b"),
        (np.float32(3), np.array([3.0])),
        (np.array([255], np.uint8), np.array([-1])),
        ({"a": 1}, {"b": 1}),
        ([1, 2], [2, 1]),
        (1.0, float("nan")),
        (float("inf"), -float("inf")),
    ]
    for expected, got in different:
        assert difference(expected, got), (expected, got)
    assert difference(0.5, 0.52, tolerance=0.05) is None


def test_shown_is_short():
    nested = [[list(range(50)) for _ in range(50)] for _ in range(50)]
    values = [nested, "x" * 10**6, {i: nested for i in range(50)}, np.zeros((64, 64)), object(), Nasty(), np]
    for value in values:
        text = shown(value)
        assert len(text) <= 170 and "\n" not in text and " at 0x" not in text


def test_hints_come_one_by_one_and_the_last_again(lesson, capsys):
    for expected in (
        "Hint 1 of 3. Slide.",
        "Hint 2 of 3. Multiply",
        "Hint 3 of 3. np.dot",
        "Hint 3 of 3. np.dot (That",
    ):
        hint("77.1")
        assert expected in capsys.readouterr().out


def test_solution_and_check_show_text(lesson, capsys):
    solution("77.1")
    assert "def correlate(x, k):" in capsys.readouterr().out
    result = check("77.2", (3, 32))
    assert result.status == "passed" and "Exercise 77.2 passed." in capsys.readouterr().out
    check("77.1", lambda x, k: print("looking at", x[0]) or correlate(x, k))
    assert "looking at 0.0" in capsys.readouterr().out


def test_unknown_ids(lesson):
    with pytest.raises(ExerciseError, match=r"'77.9'. Exercises of lesson 77: 77.1, 77.2"):
        check("77.9", 1)
    with pytest.raises(ExerciseError, match="Lessons with exercises"):
        hint("98.1")
    with pytest.raises(ExerciseError, match="An id is a text"):
        solution(77.1)


def test_wrong_declarations():
    with pytest.raises(ExerciseError, match="needs cases"):
        Exercise("01.1", "t", reference=correlate)
    with pytest.raises(ExerciseError, match=r"NN\.k"):
        Exercise("1", "t", reference=1)


def test_solution_source_brings_imports_and_takes_the_name(lesson):
    space = {}
    exec(bank.solution_source("77.1", "mine"), space)  # noqa: S102 - our own source, under test
    assert judge(EXERCISE, space["mine"]).status == "passed"
    assert bank.solution_source("77.2", "mine") == "mine = (3, 32)"
    page = bank.solutions_markdown("77")
    assert "## 77.1 Correlation" in page and f"- {FLIPPED}" in page


def test_in_a_notebook_the_result_is_one_output_with_its_own_type(lesson):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from course_utils.exercises import check")
        with capture_output() as captured:
            assert shell.run_cell("check('77.2', ...)").success
        (output,) = captured.outputs
        document = output.data["application/vnd.cnn-course.check+json"]
        assert document["status"] == "not attempted" and document["id"] == "77.2"
        assert output.data["text/plain"].startswith("Exercise 77.2 not attempted.")
    finally:
        InteractiveShell.clear_instance()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a single process on Windows")
def test_the_readers_own_interrupt_still_works():
    code = textwrap.dedent("""
        import os, signal
        from course_utils.exercises.bank import Case, Exercise
        from course_utils.exercises.checker import judge
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        def forever(x):
            os.write(1, b"running\\n")
            while True:
                pass
        try:
            judge(Exercise("01.1", "t", reference=abs, cases=[Case(1)], seconds=30), forever)
        except KeyboardInterrupt:
            print("interrupted")
    """)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "running\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "interrupted\n"


def test_a_known_mistake_that_overwrites_its_argument_is_told_of_both():
    def slopes(dy, x, scale):
        dy *= scale[:, None, None]
        return dy, (dy * x).sum((0, 2, 3))

    assert judge(bank.find("07.2"), slopes).message.endswith(
        "It also changes argument 1 of its caller, which may be the cause: work on a copy."
    )
