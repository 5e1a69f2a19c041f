"""Every lesson is executed twice, by nbval as it stands and by papermill with its exercises solved.

Both runs use the fast profile, embedded data and one thread, so that lessons run side by side; what they record must be
the same number for number, apart from timings.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from course_utils import lessons, runner

TIMES = re.compile(r"^(s|ms|×.*|.*/s\b.*)$")  # the units of timings and of ratios of timings
SETTINGS = {
    "COURSE_PROFILE": "fast", "COURSE_DATA_SOURCE": "embedded", "COURSE_DEVICE": "cpu", "COURSE_SEED": "0",
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip


@pytest.mark.parametrize("lesson", lessons.written(), ids=lambda lesson: lesson.name)
def test_lesson(lesson, tmp_path, monkeypatch):
    settings = SETTINGS | {"COURSE_RECORD_DIR": str(tmp_path), "COURSE_RUNS": str(tmp_path / "runs")}
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider",
               "--override-ini=addopts=", "-q", "-x", "--timeout=600", str(lesson.path)]  # fmt: skip
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    unanswered = json.loads((tmp_path / f"{lesson.name}.json").read_text())
    assert runner.missed(lesson, unanswered) == []
    assert unanswered["peak_memory_mb"] < 3000

    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    solved = runner.run(lesson, {}, tmp_path / "solved", with_solutions=True, progress=False)
    assert solved.problems == []
    assert without_times(solved.run["metrics"]) == without_times(unanswered["metrics"])


def without_times(metrics: dict) -> dict:
    return {name: metric for name, metric in metrics.items() if not TIMES.match(metric["unit"] or "")}
