"""The command line answers with the exit codes it promises: 0, 1 for a failed lesson, 2 for bad usage."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image
from test_runner import RECORD, START

from course_utils import cli, doctor, results, runner, runtime
from course_utils.data.archives import ArchiveError


def call(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["course", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code or 0


def test_run_prints_a_line_and_writes_json(write_lesson, monkeypatch, tmp_path, capsys):
    write_lesson(START, RECORD)
    code = call(
        monkeypatch,
        "run",
        "1",
        "--out",
        tmp_path / "o",
        "--json",
        tmp_path / "r.json",
        "--seed",
        "4",
        "--set",
        "PROFILE=full",
    )
    assert code == 0
    (run,) = json.loads((tmp_path / "r.json").read_text())
    assert run["seeds"] == [4] and run["profile"] == "full" and run["lesson"] == "01_convolution"
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("01_convolution") and "score 4.5" in line and " MB" in line


def test_json_holds_what_was_measured_before_an_interrupt(write_lesson, monkeypatch, tmp_path):
    lesson = write_lesson(START, RECORD)
    metrics = {"score": {"value": 0.5, "low": None, "high": None, "n": None, "unit": None}}
    record = {"profile": "full", "device": "cpu", "seeds": [0], "peak_memory_mb": 100, "metrics": metrics}

    def run_all(*_, **__):
        for said in ({}, record):
            run = runner._as_run(lesson, said, 1.0, None, "x")
            yield runner.Outcome(lesson, run, [] if said else ["the kernel died"], tmp_path)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_all", run_all)
    assert call(monkeypatch, "run", "--json", tmp_path / "r.json") != 0
    (run,) = results.read(tmp_path / "r.json")
    assert run["metrics"] == metrics


def test_values_of_set_stay_text():
    texts = ["A=2024", "B=no", "C=photos #2", "D=a: b", "E=", "SEED=3"]
    values = cli._assignments(texts)
    assert list(values.values()) == ["2024", "no", "photos #2", "a: b", "", "3"]
    assert runtime.resolve("", "auto", "auto", "auto", values["SEED"]).seed == 3


def test_a_failed_lesson_is_exit_code_1(write_lesson, monkeypatch, tmp_path, capsys):
    write_lesson(START, RECORD, expect={"fast": {"any": {"score": {"min": 9}}}})
    assert call(monkeypatch, "run", "--out", tmp_path / "o") == 1
    assert "FAILED: score is 0.5, below its threshold 9" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "77"], "unknown lesson '77'"),
        (["run", "02"], "planned but not written yet"),
        (["run", "--profile", "quick"], "unknown profile 'quick'"),
        (["run", "--data-source", "web"], "unknown data source 'web'"),
        (["run", "--device", "tpu"], "unknown device 'tpu'"),
        (["run", "--seed", "one"], "SEED is 'one'"),
        (["run", "--set", "EPOCHS=3"], "no parameter 'EPOCHS'"),
        (["run", "--json", "."], "--json '.' is a folder"),
        (["run", "--set", "EPOCHS"], "not of the form NAME=VALUE"),
        (["data", "verify", "imagenet"], "imagenet"),
        (["run", "--jobs", "0"], "0 is not in the range"),
        (["run", "--frob"], "No such option"),
        (["frob"], "No such command"),
    ],
)
def test_bad_usage_is_exit_code_2(write_lesson, monkeypatch, capsys, arguments, words):
    write_lesson(START, RECORD)
    assert call(monkeypatch, *arguments) == 2
    assert words in capsys.readouterr().err


def test_list_data_and_doctor(capfd):
    def course(*arguments):
        env = os.environ | {"COLUMNS": "120"}
        return subprocess.run(
            [sys.executable, "-m", "course_utils", *arguments], capture_output=True, text=True, env=env
        )

    listed = course("list")
    assert listed.returncode == 0 and listed.stdout.count("\n") == 21
    data = course("data", "list")
    assert data.returncode == 0 and all(
        name in data.stdout for name in ("digits", "elpv", "fashion_mnist", "photographs")
    )
    doctor = course("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "GFLOP/s" in doctor.stdout and "torch" in doctor.stdout


def test_doctor_says_what_is_wrong(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        patch.setenv("COURSE_CACHE", str(tmp_path / "file"))
        patch.setenv("COURSE_MIRROR", "https://ada:secret@example.org/m")
        found = {name: (ok, text) for name, ok, text in doctor.findings()}
    assert not found["torch"][0] and "Install torch" in found["torch"][1] and "matmul" not in found
    assert not found["cache"][0] and "cannot be written" in found["cache"][1]
    assert found["mirror"] == (True, "https://example.org/m")


def test_a_fetch_that_fails_is_exit_code_1_and_leaves_the_cache_empty(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "empty"))
    monkeypatch.setattr(sys.modules["course_utils.data.fetch"], "download", refuse)
    assert call(monkeypatch, "data", "fetch", "digits", "fashion_mnist") == 1
    printed = capsys.readouterr().out
    assert "digits           package" in printed
    assert "FAILED: fashion_mnist" in printed and "COURSE_MIRROR" in printed
    assert call(monkeypatch, "data", "verify", "fashion_mnist") == 0
    assert "not fetched" in capsys.readouterr().out


def refuse(url, path, limit):
    raise ArchiveError("the server cannot be reached")


def test_shards_says_what_it_left_out_and_wrote(monkeypatch, tmp_path, capsys):
    for i in range(4):
        file = tmp_path / "photos" / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4), (i, 0, 0)).save(file)
    (tmp_path / "photos" / "a" / "broken.png").write_bytes(b"no picture")
    assert call(monkeypatch, "shards", tmp_path / "photos", tmp_path / "tars", "--per-shard", "3") == 0
    printed = capsys.readouterr().out
    assert "broken.png: its content is not a picture" in printed and "4 pictures of 2 classes" in printed
    assert len(list((tmp_path / "tars").glob("*.tar"))) == 2
    assert call(monkeypatch, "shards", tmp_path / "photos", tmp_path / "tars") == 2
    assert "not empty" in capsys.readouterr().err


def test_results_takes_every_file_it_is_given(write_lesson, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "pages", dict)
    run = runner.run(write_lesson(START, RECORD), {}, tmp_path / "out", progress=False).run
    files = [tmp_path / f"{device}.json" for device in ("cpu", "cuda")]
    for file in files:
        results.write([{**run, "device": file.stem}], file)
    assert call(monkeypatch, "results", "--add", files[0], "--add", files[1]) == 0
    kept = results.read(tmp_path / "results" / "01_convolution.json")
    assert [r["device"] for r in kept] == ["cpu", "cuda"]
