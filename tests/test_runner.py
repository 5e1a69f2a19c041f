"""The runner rejects what it does not know, checks thresholds and reports each failure."""

import json
import multiprocessing
import shutil

import pytest

from course_utils import notebooks, results, runner
from course_utils.errors import CourseError
from course_utils.lessons import Lesson

START = """\
from course_utils import record, runtime
run = runtime.start("01_convolution", globals().get("PROFILE", "auto"), seed=globals().get("SEED", "auto"))"""
RECORD = "record(score=runtime.Value(0.5 + run.seed, low=0.4, high=0.6, n=10, unit='fraction'))"


@pytest.mark.parametrize(
    ("threads", "words"),
    [("1", ", 1 core, "), ("", f", {runner.cores()} core"), ("1,2", f", {runner.cores()} core")],
)
def test_a_machine_has_the_cores_that_a_lesson_may_use(monkeypatch, threads, words):
    with monkeypatch.context() as patched:  # after a test its number is read again
        patched.setenv("OMP_NUM_THREADS", threads)
        assert words in runner.machine()


def test_a_run_has_the_form_of_the_results_files(write_lesson, tmp_path):
    lesson = write_lesson(START, RECORD)
    outcome = runner.run(lesson, {"SEED": 3}, tmp_path / "out", progress=False)
    assert outcome.ok, outcome.problems
    assert outcome.run["metrics"]["score"] == {
        "value": 3.5,
        "low": 0.4,
        "high": 0.6,
        "n": 10,
        "unit": "fraction",
    }
    assert outcome.run["code_hash"] == notebooks.code_hash(runner.read_notebook(lesson.path))
    assert outcome.run["seeds"] == [3] and outcome.run["peak_memory_mb"] > 10
    results.write([outcome.run], tmp_path / "runs.json")
    assert results.read(tmp_path / "runs.json") == [outcome.run]
    assert outcome.headline == "score 3.5 [0.4, 0.6]"


def test_parameters_follow_the_environment(write_lesson, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_SEED", "7")
    monkeypatch.setenv("COURSE_PROFILE", "full")
    outcome = runner.run(write_lesson(START, RECORD), {}, tmp_path / "out", progress=False)
    assert outcome.run["profile"] == "full" and outcome.run["seeds"] == [7]


@pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork",
    reason="the lessons of this test exist in its own process only",
)
def test_lessons_run_side_by_side_and_share_the_cores(write_lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "cores", lambda: 4)
    meet = f"""\
import os, pathlib, time
met, until = pathlib.Path({str(tmp_path)!r}), time.monotonic() + 60
(met / f"{{os.getpid()}}.here").touch()
while len(list(met.glob("*.here"))) < 2:
    assert time.monotonic() < until, "nobody came"
    time.sleep(0.05)"""
    share = "run.seed = int(os.environ['OMP_NUM_THREADS'])"
    first, second = write_lesson(START, meet, share, RECORD), Lesson("02_filters_and_kernels")
    shutil.copy(first.path, second.path)
    outcomes = list(runner.run_all([first, second], {}, tmp_path / "out", jobs=2))
    assert [outcome.problems for outcome in outcomes] == [[], []]
    assert [outcome.run["metrics"]["score"]["value"] for outcome in outcomes] == [2.5, 2.5]


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"score": {"min": 0.9}}, "score is 0.5, below its threshold 0.9"),
        ({"score": {"max": 0.1}}, "score is 0.5, above its threshold 0.1"),
        ({"other": {"min": 0}}, "other was not recorded"),
    ],
)
def test_a_missed_threshold_fails_the_run(write_lesson, tmp_path, bounds, words):
    lesson = write_lesson(START, RECORD, expect={"fast": {"any": bounds}})
    outcome = runner.run(lesson, {}, tmp_path / "out", progress=False)
    assert len(outcome.problems) == 1 and words in outcome.problems[0]


def test_thresholds_are_chosen_by_profile_and_data(write_lesson):
    lesson = write_lesson(expect={"fast": {"real": {"a": {"min": 1}}, "embedded": {"b": {"min": 2}}}})
    assert lesson.expectations("fast", real=True) == {"a": {"min": 1}}
    assert lesson.expectations("fast", real=False) == {"b": {"min": 2}}
    assert lesson.expectations("full", real=True) == {}


def test_a_failed_cell_is_named_and_the_notebook_is_kept(write_lesson, tmp_path):
    outcome = runner.run(write_lesson(START, "1 / 0", RECORD), {}, tmp_path / "out", progress=False)
    assert "ZeroDivisionError: division by zero" in outcome.problems[0]
    assert outcome.notebook.exists() and outcome.run["metrics"] == {}


def test_a_dead_kernel_is_reported(write_lesson, tmp_path):
    outcome = runner.run(write_lesson("import os\nos._exit(1)"), {}, tmp_path / "out", progress=False)
    assert "kernel died in the cell that begins 'import os'" in outcome.problems[0]


def test_a_missing_record_fails(write_lesson, tmp_path):
    outcome = runner.run(write_lesson("x = 1"), {}, tmp_path / "out", progress=False)
    assert "record" in outcome.problems[0]


def test_unknown_parameter_and_missing_parameters_cell(write_lesson, tmp_path):
    with pytest.raises(CourseError, match=r"no parameter 'SEEED'. Parameters: PROFILE, SEED"):
        runner.run(write_lesson(START, RECORD), {"SEEED": 1}, tmp_path, progress=False)
    with pytest.raises(CourseError, match="0 cells tagged 'parameters'"):
        runner.run(write_lesson(START, RECORD, parameters=None), {}, tmp_path, progress=False)
    with pytest.raises(CourseError, match="NAME = literal"):
        runner.run(write_lesson(parameters="A = 1 + len('b')"), {}, tmp_path, progress=False)


def test_paths_are_meant_from_here_not_from_where_the_kernel_works(write_lesson, tmp_path, monkeypatch):
    lesson = write_lesson(parameters='DATA_DIR = ""\nWEIGHTS = ""')
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    here = tmp_path.resolve()
    for folder in (".", "~"):
        given = {"DATA_DIR": f"{folder}/data", "WEIGHTS": f"{folder}/x.safetensors"}
        wanted = {"DATA_DIR": str(here / "data"), "WEIGHTS": str(here / "x.safetensors")}
        assert runner.checked_parameters(lesson, given) == wanted
    assert runner.checked_parameters(lesson, {"WEIGHTS": ""}) == {"WEIGHTS": ""}
    with pytest.raises(CourseError, match="DATA_DIR is 'gone', and there is no such folder"):
        runner.checked_parameters(lesson, {"DATA_DIR": "gone"})


def test_a_relative_cache_is_the_same_folder_in_the_kernel(write_lesson, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_CACHE", "cache")
    same = f"assert str(runtime.cache_dir()) == {str(tmp_path.resolve() / 'cache')!r}"
    assert runner.run(write_lesson(START, same, RECORD), {}, tmp_path / "out", progress=False).ok


def test_the_commit_is_that_of_the_course(monkeypatch):
    monkeypatch.setattr(runner, "ROOT", runner.ROOT / "course_utils")  # as if installed inside a repository
    assert runner._commit() is None


def test_solutions_are_filled_in_and_must_pass(write_lesson, tmp_path):
    stub = 'from course_utils import check\nanswer = ...\ncheck("00.1", answer)'
    lesson = write_lesson(START, "from course_utils import check", stub, RECORD, tags=["exercise"])
    plain = runner.run(lesson, {}, tmp_path / "plain", progress=False)
    solved = runner.run(lesson, {}, tmp_path / "solved", with_solutions=True, progress=False)
    assert plain.ok and solved.ok, (plain.problems, solved.problems)
    statuses = [
        [c["status"] for c in runner.find_output(runner.read_notebook(o.notebook), runner.CHECK_MIME)]
        for o in (plain, solved)
    ]
    assert statuses == [["not attempted"], ["passed"]]


def test_results_that_are_not_runs_are_refused(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("{")
    with pytest.raises(CourseError, match="cannot read results"):
        results.read(path)
    path.write_text(json.dumps([{"lesson": "01_convolution"}]))
    with pytest.raises(CourseError, match="is a required property"):
        results.read(path)
    path.write_text("[]")
    with pytest.raises(CourseError, match="non-empty"):
        results.read(path)


def test_add_replaces_a_run_of_the_same_kind(write_lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    run = runner.run(write_lesson(START, RECORD), {}, tmp_path / "out", progress=False).run
    for number in (1.0, 2.0):
        run["seconds"] = number
        results.write([run, {**run, "device": "cuda"}], tmp_path / "new.json")
        results.add(tmp_path / "new.json")
    kept = results.read(tmp_path / "results" / "01_convolution.json")
    assert [(r["device"], r["seconds"]) for r in kept] == [("cpu", 2.0), ("cuda", 2.0)]


def test_add_keeps_other_machines_until_the_code_is_another(write_lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    run = runner.run(write_lesson(START, RECORD), {}, tmp_path / "out", progress=False).run

    def machines_after(machine, code):
        results.write([run | {"machine": machine, "code_hash": code}], tmp_path / "new.json")
        results.add(tmp_path / "new.json")
        return [r["machine"] for r in results.read(tmp_path / "results" / "01_convolution.json")]

    assert machines_after("one", run["code_hash"]) == ["one"]
    assert machines_after("two", run["code_hash"]) == ["one", "two"]
    assert machines_after("three", "of another lesson") == ["three"]


def test_add_refuses_a_run_on_own_pictures(tmp_path, monkeypatch):
    run = results.stored(Lesson("13_image_classification"))[0]
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    results.write([run, run | {"data": {"photos": "own pictures"}}], tmp_path / "new.json")
    with pytest.raises(CourseError, match="13_image_classification ran on your own pictures 'photos'"):
        results.add(tmp_path / "new.json")
    assert not (tmp_path / "results").exists()


def test_the_table_marks_a_run_of_earlier_code():
    lesson = Lesson("13_image_classification")
    run = results.stored(lesson)[0] | {"code_hash": lesson.about["code_hash"]}
    assert "†" not in results.table([(lesson, [run])], link="")
    marked = results.table([(lesson, [run, run | {"code_hash": None}])], link="")
    assert [row.count(" † |") for row in marked.splitlines()[2:4]] == [0, 1]
    assert marked.endswith("replaces it.")


def test_thresholds_for_any_data_hold_beside_those_of_one_kind(write_lesson):
    lesson = write_lesson(expect={"fast": {"any": {"a": {"min": 1}}, "embedded": {"b": {"min": 2}}}})
    assert lesson.expectations("fast", real=False) == {"a": {"min": 1}, "b": {"min": 2}}
    assert lesson.expectations("fast", real=True) == {"a": {"min": 1}}


def test_generated_data_have_the_thresholds_of_embedded(write_lesson):
    lesson = write_lesson(expect={"fast": {"real": {"a": {"min": 1}}, "embedded": {"b": {"min": 2}}}})
    run = {
        "profile": "fast",
        "data": {"x": "generated: y"},
        "metrics": {"a": {"value": 0}, "b": {"value": 3}},
    }
    assert runner.missed(lesson, run) == []
