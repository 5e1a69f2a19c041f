"""The benchmarks run end to end on the stand-in data; their numbers are for the machine that asks."""

import importlib.util
import json

import pytest
import threadpoolctl
import torch

from course_utils.paths import ROOT


@pytest.fixture
def benchmark(monkeypatch):
    """Load a benchmark by its name, on embedded data and the processor."""
    monkeypatch.setenv("COURSE_DATA_SOURCE", "embedded")
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")

    def module(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    return module


@pytest.fixture
def fashion_mnist(benchmark):
    return benchmark("fashion_mnist")


def test_both_recipes_are_timed_to_the_aim(fashion_mnist, tmp_path, capsys):
    out = tmp_path / "times.json"
    options = "--data-source embedded --aim 0.5 --epochs 30 --width 8 --pictures 600 --threads 1 --limit 120"
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
    options = "--data-source embedded --aim 1.01 --epochs 1 --width 4 --pictures 128 --threads 1 --limit 0.01"
    assert fashion_mnist.main(options.split()) == 1
    printed = capsys.readouterr().out
    assert "MISSED" in printed
    assert printed.count("not within") == 2


SMALL = {
    "convolution": "--rounds 1 --threads 1",
    "detection": "--rounds 2 --boxes 2000 --pictures 12",
    "augmentation": "--rounds 2 --pictures 256",
    "features": "--rounds 1 --pictures 64 --size 64 --epochs 2",
    "shards": "--rounds 1 --pictures 256 --size 64 --workers 0",
    "throughput": "--rounds 1 --steps 2 --batch-size 16 --width 4 --threads 1 --no-compile",
    "dashcam": "--frames 6 --rows 60 --aim 0.1",
    "inspection": "--pictures 100 --size 64x48 --aim 1000000",
}


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_writes_rows_of_one_form(benchmark, name, tmp_path, capsys):
    file = tmp_path / "result.json"
    assert benchmark(name).main([*SMALL[name].split(), "--json", str(file)]) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["machine"] and document["versions"]["torch"] and document["title"]
    for row in document["rows"]:
        assert {"case", "contender", "n", "value", "unit", "ratio"} <= set(row)
        assert row["value"] > 0
    assert all(row["ratio"] == 1 for row in document["rows"] if row["contender"] == row.get("to"))
    assert capsys.readouterr().out


def test_numpy_keeps_to_the_threads_that_were_asked_for(benchmark, monkeypatch):
    convolution, seen = benchmark("convolution"), set()

    def timed(ways, rounds, repeat):
        seen.update(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
        return {way: [1.0] for way in ways}

    monkeypatch.setattr(convolution, "take_turns", timed)
    with threadpoolctl.threadpool_limits(2):
        convolution.main(["--rounds", "1", "--threads", "1"])
    assert seen == {1}


def test_features_that_drift_between_epochs_stop_the_comparison(benchmark, monkeypatch):
    class Drifting(torch.nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x.mean((1, 2, 3))[:, None].expand(-1, 1280) + 1e-4 * self.calls

    features = benchmark("features")
    monkeypatch.setattr(features, "backbone", lambda *name, **options: Drifting())
    with pytest.raises(SystemExit, match="the weights of the two ways differ"):
        features.main(SMALL["features"].split())


def test_the_aim_on_a_gpu_is_higher_unless_one_is_given(fashion_mnist, monkeypatch, capsys):
    device = torch.device("cuda")
    monkeypatch.setattr(fashion_mnist.runtime.Run, "device", property(lambda run: device))
    seen = []
    monkeypatch.setattr(fashion_mnist, "course", lambda *given: seen.append(given[3]) or [(1.0, 0.5)])
    monkeypatch.setattr(fashion_mnist, "beginner", lambda *given: [(1.0, 0.5)])
    for given in ("", "--aim 0.3 --width 8"):
        fashion_mnist.main(["--data-source", "embedded", *given.split()])
    assert [(o.aim, o.width, o.epochs, o.erase) for o in seen] == [(0.94, 64, 40, 8), (0.3, 8, 40, 8)]


def test_contenders_take_turns(benchmark):
    order = []
    seconds = benchmark("timing").take_turns(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2
    )
    assert "".join(order) == "abbaab"
    assert [len(times) for times in seconds.values()] == [2, 2]


def test_a_ratio_is_taken_within_each_round(benchmark):
    own, other = benchmark("timing").rows("case", {"own": [1.0, 10.0, 2.0], "other": [2.0, 20.0, 4.0]}, "own")
    assert own["ratio"] == 1
    assert (other["value"], other["ratio"], other["ratio_low"], other["ratio_high"]) == (4.0, 2.0, 2.0, 2.0)


def test_the_page_shows_every_row_and_says_what_missed_its_aim(benchmark, tmp_path):
    everything, timing = benchmark("everything"), benchmark("timing")
    rows = timing.rows("case", {"own": [1.0, 1.0], "other": [3.0, 3.0]}, "own")
    result = {
        "title": "A title",
        "machine": "a machine",
        "versions": {"torch": "2"},
        "rows": rows,
        "exit_code": 1,
    }
    text = everything.page({"convolution": result})
    assert "| case | other | 2 | 3 s | 3 × own [3, 3] |" in text
    assert "aim missed" in text
    everything.plot({"convolution": result}, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    with pytest.raises(SystemExit):
        everything.main(["no such benchmark"])
