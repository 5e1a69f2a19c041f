"""Every lesson is executed by nbval: unanswered from top to bottom, then each exercise with its solution in the same kernel.

The runs use the fast profile, embedded data and one thread, so that lessons run side by side. A second run, by papermill with
the exercises solved from the start, must record the same number for number, apart from timings. It doubles the time, so only
a few lessons get it; ``python -m pytest tests/test_lessons.py --thorough`` gives it to all of them.
"""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from course_utils import lessons, runner
from course_utils.exercises.bank import solution_source
from course_utils.notebooks import exercise_of, tagged

TIMES = re.compile(r"^(s|ms|×.*|.*/s\b.*)$")  # the units of timings and of ratios of timings
SETTINGS = {
    "COURSE_PROFILE": "fast", "COURSE_DATA_SOURCE": "embedded", "COURSE_DEVICE": "cpu", "COURSE_SEED": "0",
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip
# Short, and between them: the trainer, windows of every kind, a net by hand in NumPy.
TWICE = {"00", "03", "07"}


@pytest.mark.parametrize("lesson", lessons.written(), ids=lambda lesson: lesson.name)
def test_lesson(lesson, tmp_path, monkeypatch, request):
    nb = runner.read_notebook(lesson.path)
    nb.cells += [solved(cell) for cell in tagged(nb, "exercise")]
    copy = tmp_path / lesson.path.name
    nbformat.write(nb, copy)
    settings = SETTINGS | {"COURSE_RECORD_DIR": str(tmp_path), "COURSE_RUNS": str(tmp_path / "runs")}
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider",
               "--override-ini=addopts=", "-q", "-x", "--timeout=600", str(copy)]  # fmt: skip
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    unanswered = json.loads((tmp_path / f"{lesson.name}.json").read_text())
    assert runner.missed(lesson, unanswered) == []
    assert unanswered["peak_memory_mb"] < 3000

    if lesson.number in TWICE or request.config.getoption("--thorough"):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        answered = runner.run(lesson, {}, tmp_path / "solved", with_solutions=True, progress=False)
        assert answered.problems == []
        assert without_times(answered.run["metrics"]) == without_times(unanswered["metrics"])


def solved(cell):
    """A cell that answers an exercise with its solution and fails if the check does not pass it."""
    exercise, name = exercise_of(cell)
    judged = f'assert check("{exercise}", {name}).status == "passed"'
    return nbformat.v4.new_code_cell(f"{solution_source(exercise, name)}\n\n{judged}")


def without_times(metrics: dict) -> dict:
    return {name: metric for name, metric in metrics.items() if not TIMES.match(metric["unit"] or "")}
