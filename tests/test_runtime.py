"""Settings resolve from arguments and environment; records are finite."""

import json

import pytest
import torch

from course_utils import runtime
from course_utils.errors import CourseError


def test_arguments_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "full")
    monkeypatch.setenv("COURSE_SEED", "5")
    run = runtime.start("01_convolution", profile="fast")
    assert run.profile == "fast" and run.seed == 5 and runtime.current() is run


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"profile": "quick"}, "unknown profile 'quick'. Valid: fast, full"),
        ({"data_source": "fake"}, "unknown data source 'fake'. Valid: real, embedded, auto"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"seed": "x"}, "SEED is 'x'"),
        ({"seed": -1}, "SEED is -1"),
    ],
)
def test_a_bad_setting_is_quoted_with_the_valid_ones(setting, words):
    with pytest.raises(CourseError, match=words):
        runtime.start("01_convolution", **setting)


def test_the_cache_may_be_below_the_users_folder(monkeypatch, tmp_path):
    for name, value in (("HOME", tmp_path), ("USERPROFILE", tmp_path), ("COURSE_CACHE", "~/data")):
        monkeypatch.setenv(name, str(value))
    assert runtime.cache_dir() == tmp_path / "data"


def test_start_makes_every_generator_repeat():
    import random

    import numpy

    draws = []
    for _ in range(2):
        run = runtime.start("01_convolution", seed=11)
        draws.append(
            (
                random.random(),
                numpy.random.rand(),
                torch.rand(1).item(),
                torch.rand(1, generator=run.generator(2)).item(),
            )
        )
    assert draws[0] == draws[1]


def test_record_writes_json_and_refuses_what_is_not_a_number(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path))
    runtime.start("01_convolution", device="cpu")
    runtime.record(a=1, b=runtime.Value(0.5, 0.4, 0.6, 20, "fraction"), seeds=[1, 2])
    stored = json.loads((tmp_path / "01_convolution.json").read_text())
    assert stored["metrics"]["b"] == {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20, "unit": "fraction"}
    assert stored["seeds"] == [1, 2] and stored["peak_memory_mb"] > 10
    for bad in (float("nan"), float("inf"), "much", None):
        with pytest.raises(CourseError, match=r"record\(a=…\): value is (nan|inf|'much'|None)"):
            runtime.record(a=bad)


def test_an_unavailable_device_says_which_are_usable():
    if torch.backends.mps.is_available():
        pytest.skip("this machine has Apple's MPS")
    with pytest.raises(CourseError, match=r"device 'mps' is not available here. Usable: cpu"):
        runtime.start("01_convolution", device="mps").device  # noqa: B018


def test_freed_memory_is_used_again_instead_of_being_asked_for_anew():
    import platform
    import subprocess
    import sys

    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc gives freed blocks back at once")
    code = (
        "import resource, numpy\nfrom course_utils import runtime\nruntime.keep_freed_memory()\nnumpy.ones(2**24)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\nfor _ in range(5): numpy.ones(2**24)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    faults = [
        int(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout)
        for text in (code, code.replace("runtime.keep_freed_memory()", ""))
    ]
    assert faults[0] * 10 < faults[1]


def test_each_process_takes_its_own_gpu(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    runtime.take_own_gpu(torch.device("cuda"))
    assert taken == []
    for rank in range(3):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        runtime.take_own_gpu(torch.device("cuda"))
    runtime.take_own_gpu(torch.device("cpu"))
    runtime.take_own_gpu(torch.device("cuda", 1))
    assert taken == [0, 1, 0]


@pytest.mark.parametrize(("touched", "device"), [(False, "cpu"), (True, "cuda")])
def test_a_record_names_the_device_that_was_used(monkeypatch, tmp_path, touched, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: touched)
    monkeypatch.setenv("COURSE_RECORD_DIR", str(tmp_path))
    monkeypatch.setattr(runtime, "_current", runtime.Run(lesson="07_backpropagation", device_name="cuda"))
    runtime.record(accuracy=0.9)
    assert json.loads((tmp_path / "07_backpropagation.json").read_text())["device"] == device
