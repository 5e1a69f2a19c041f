"""Rendering gives the same bytes twice, and refuses what a reader must not see."""

import nbformat
import pytest
from test_runner import RECORD, START

from course_utils import notebooks, render, runner
from course_utils.errors import CourseError

FIGURE = """\
import matplotlib.pyplot as plt
from course_utils import plots
fig, ax = plt.subplots()
ax.plot([1, 2])
plots.show(ax, alt="A line that rises from one to two.")"""


def test_twice_the_same_bytes(write_lesson):
    lesson = write_lesson(START, FIGURE, RECORD)
    once = render.render(lesson, progress=False).read_bytes()
    assert render.render(lesson, progress=False).read_bytes() == once
    nb = nbformat.reads(once.decode(), as_version=4)
    assert nb.metadata.course.code_hash == notebooks.code_hash(nb)
    assert [c.execution_count for c in nb.cells if c.cell_type == "code"] == [1, 2, 3, 4, 5]
    assert "colab.research.google.com" in nb.cells[0].source


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("import sys\nprint('x', file=sys.stderr)", "writes to stderr"),
        ("import os\nprint(os.path.expanduser('~'))", "local path"),
        ("1 / 0", "ZeroDivisionError"),
        ("print('x' * 2_000_000)", "the limit is 1,000,000"),
    ],
)
def test_bad_outputs_leave_the_notebook_as_it_was(write_lesson, cell, words):
    lesson = write_lesson(START, cell, RECORD)
    before = lesson.path.read_bytes()
    with pytest.raises(CourseError, match=words):
        render.render(lesson, progress=False)
    assert lesson.path.read_bytes() == before


def test_an_interrupt_leaves_the_notebook_as_it_was(write_lesson, monkeypatch):
    def interrupted(*_, nb, **__):
        assert nb.cells[0].id == "01-000"
        raise KeyboardInterrupt

    lesson = write_lesson(START, RECORD)
    before = lesson.path.read_bytes()
    monkeypatch.setattr(runner, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render.render(lesson)
    assert lesson.path.read_bytes() == before
