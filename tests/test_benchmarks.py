"""The benchmarks run end to end on the stand-in data; their numbers are for the machine that asks."""

import importlib.util
import json

import pytest

from course_utils.paths import ROOT


@pytest.fixture
def fashion_mnist(monkeypatch):
    """The benchmark, on embedded data and the processor."""
    monkeypatch.setenv("COURSE_DATA_SOURCE", "embedded")
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    spec = importlib.util.spec_from_file_location("fashion_mnist", ROOT / "benchmarks" / "fashion_mnist.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_recipes_are_timed_to_the_aim(fashion_mnist, tmp_path, capsys):
    out = tmp_path / "times.json"
    options = "--aim 0.5 --epochs 30 --width 8 --pictures 600 --threads 1 --limit 120"
    assert fashion_mnist.main([*options.split(), "--json", str(out)]) == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    for result in document["results"].values():
        spent, accuracies = zip(*result["epochs"], strict=True)
        assert list(spent) == sorted(spent)
        first = next(i for i, accuracy in enumerate(accuracies) if accuracy >= 0.5)
        assert result["seconds_to_aim"] == spent[first]
    results = document["results"]
    assert document["ratio"] == results["beginner"]["seconds_to_aim"] / results["course"]["seconds_to_aim"]
    assert document["data"].startswith("stand-in")
    assert not document["ratio_is_lower_bound"]
    assert "× the time" in capsys.readouterr().out


def test_an_aim_out_of_reach_is_a_miss_and_not_a_number(fashion_mnist, capsys):
    options = "--aim 1.01 --epochs 1 --width 4 --pictures 128 --threads 1 --limit 0.01"
    assert fashion_mnist.main(options.split()) == 1
    printed = capsys.readouterr().out
    assert "MISSED" in printed
    assert printed.count("not within") == 2
