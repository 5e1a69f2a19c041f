"""``course new``: what is in a project, and that its own smoke test passes without the course's folder."""

import ast
import json
import math
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib

import nbformat
import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from test_own_data import boxes, masks
from typer.testing import CliRunner

from course_utils import notebooks, project
from course_utils.cli import app
from course_utils.errors import CourseError
from course_utils.lessons import written

OWN = [
    lesson.number for lesson in written() if "DATA_DIR" in notebooks.parameters(nbformat.read(lesson.path, 4))
]


@pytest.mark.parametrize("number", OWN)
def test_a_project_is_complete_and_points_nowhere(number, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    files = {file.name: file for file in project.create(number, tmp_path / "mine", data)}
    script = files["train.py"].read_text(encoding="utf-8")
    ast.parse(script)
    nb = nbformat.read(next(f for name, f in files.items() if name.endswith(".ipynb")), as_version=4)
    nbformat.validate(nb)
    prose = "\n".join(cell["source"] for cell in nb["cells"] if cell["cell_type"] == "markdown")
    assert "](../" not in prose and not re.search(r"\]\(\d\d_", prose) and "Exercise" not in prose
    assert "check(" not in script and "git clone" not in script and "## Sources" in prose
    assert not any(cell.get("outputs") for cell in nb["cells"])
    settings = tomllib.loads(files["config.toml"].read_text(encoding="utf-8"))
    assert settings == notebooks.parameters(nb) and settings["DATA_DIR"] == data.resolve().as_posix()
    assert (
        settings["PROFILE"] == "fast"
        and f"pip install -r {files['requirements.txt'].name}" in files["README.md"].read_text()
    )
    trains = "Trainer(" in script  # what the package's trainer can do is promised where it trains
    assert trains == (number != "16") == ("--checkpoints" in script) == ("accelerate launch" in script)
    assert trains == ("--checkpoints" in files["README.md"].read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Name)}
    assert set(settings) <= used, "every setting is used"


def test_bad_orders_write_nothing(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(CourseError, match=r"lesson 07 does not take your own data\. Valid: 13"):
        project.create("07", tmp_path / "mine", data)
    with pytest.raises(CourseError, match=r"is not there\. Give your folder"):
        project.create("13", tmp_path / "mine", tmp_path / "gone")
    with pytest.raises(CourseError, match=r"not empty\. Give a new folder"):
        project.create("13", tmp_path / "full", data)
    with pytest.raises(CourseError, match="99"):
        project.create("99", tmp_path / "mine", data)
    for inside in (data, data / "mine", data / "deep" / ".." / "mine"):
        with pytest.raises(
            CourseError, match=r"lies inside the data .*: its figures .* Give a folder beside"
        ):
            project.create("13", inside, data)
    assert (
        not (tmp_path / "mine").exists()
        and not any(data.iterdir())
        and [f.name for f in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    )


def test_a_project_with_odd_names_starts_and_prints_anything(tmp_path):
    photos, mine = tmp_path / "100% new 🌊", tmp_path / "my project"
    photos.mkdir()
    result = CliRunner().invoke(app, ["new", "15", str(mine), "--data", str(photos)])
    assert f"cd {shlex.quote(str(mine))} && python train.py" in result.output
    script = (mine / "train.py").read_text(encoding="utf-8")
    head = script[: script.index("globals().update")]
    (mine / "train.py").write_text(head + 'print("→", settings["DATA_DIR"])', encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "COLUMNS": "1000"}
    for arguments, words in (([], "→ "), (["--help"], "now '")):
        command = [sys.executable, "train.py", *arguments]
        done = subprocess.run(command, cwd=mine, env=environment, capture_output=True)
        assert words + photos.resolve().as_posix() in done.stdout.decode("utf-8"), done.stderr.decode()


def stripes(root, count):
    """Two kinds of pictures that a network tells apart: stripes that lie and stripes that stand."""
    rng, rows = np.random.default_rng(0), np.arange(72)
    for kind in ("lying", "standing"):
        (root / kind).mkdir()
        for i in range(count):
            wave = 90 + 60 * np.sin(rows / rng.uniform(1, 4) + rng.uniform(0, 6))
            picture = np.repeat(wave[:, None], 72, 1) if kind == "lying" else np.repeat(wave[None], 72, 0)
            noisy = np.clip(picture[..., None] + rng.normal(0, 20, (72, 72, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(root / kind / f"{i}.png")


def test_the_smoke_test_of_a_project_passes_elsewhere(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    stripes(photos, 24)
    mine = tmp_path / "elsewhere" / "stripes"
    result = CliRunner().invoke(app, ["new", "13", str(mine), "--data", str(photos)])
    assert result.exit_code == 0 and "train.py" in result.output
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_smoke.py"]
    done = subprocess.run(command, cwd=mine, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


PICTURES = {
    "13": lambda root: stripes(root, 80),
    "14": lambda root: boxes(root, "coco"),
    "15": lambda root: masks(root, "indices"),
}


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
# Without --multi_gpu it starts a single process on processors, whatever --num_processes says.
ACCELERATE = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]  # fmt: skip


def started(folder, launcher):
    """Start a project's ``train.py``, on two processes with ``torchrun`` or ``accelerate launch``."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")}
    environment |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(
            [sys.executable, *launcher, "train.py", "--checkpoints", "saved"],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip


def trained(folder, launcher):
    """The weights that a project's ``train.py`` leaves."""
    assert started(folder, launcher).wait() == 0, (folder / "log.txt").read_text()[-3000:]
    (saved,) = folder.glob("runs/*/*.safetensors")
    return load_file(saved)


SHORT = """
def shorten(epochs, steps):
    from itertools import islice
    from course_utils.loop import Loop
    from course_utils.trainer import Trainer
    fit, batches = Trainer.fit, Loop._batches  # in here: the script has a fit of its own
    Trainer.fit = lambda self, train, n, **settings: fit(self, train, min(n, epochs), **settings)
    Loop._batches = lambda self: islice(batches(self), steps)
"""


def create_short(number, folder, pictures, epochs, steps=None):
    """A project whose ``train.py`` takes at most so many epochs in each training, and so many steps in each of them."""
    project.create(number, folder, pictures)
    script = folder / "train.py"
    script.write_text(f"{SHORT}\nshorten({epochs}, {steps})\n" + script.read_text())


# Lesson 15's was seen to take 16 minutes beside other work.
THOROUGH = [pytest.mark.thorough, pytest.mark.timeout(1800)]
each_project = pytest.mark.parametrize(
    "number", ["13", *(pytest.param(number, marks=THOROUGH) for number in ("14", "15"))]
)


@each_project
def test_a_project_killed_on_two_processes_ends_with_the_weights_of_one_left_alone(number, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    PICTURES[number](pictures)
    weights = []
    for kill in (True, False):
        mine = tmp_path / f"killed_{kill}"
        create_short(number, mine, pictures, epochs=8)
        if kill:
            victim = started(mine, TORCHRUN)
            while victim.poll() is None and not list(mine.glob("saved/fit-01/step-*/files.json")):
                time.sleep(0.1)
            assert victim.poll() is None, (mine / "log.txt").read_text()[-3000:]
            launched = psutil.Process(victim.pid)
            processes = [launched, *launched.children(recursive=True)]
            for process in processes:
                process.kill()
            psutil.wait_procs(processes)
            assert len(processes) == 3, "the launcher and two that train"
            assert not list(mine.glob("results/*.json")), "killed in the first training"
        weights.append(trained(mine, ACCELERATE))
        (result,) = mine.glob("results/*.json")
        numbers = json.loads(result.read_text(encoding="utf-8"))["metrics"]
        assert numbers and all(math.isfinite(n["value"]) for n in numbers.values())
        assert (mine / "log.txt").read_text().count("(own pictures)") == 1, "only one process speaks"
    assert weights[0].keys() == weights[1].keys()
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


@each_project
def test_a_project_takes_the_steps_of_one_process_on_two(number, tmp_path):
    """In each training at most two steps: the processes add up in another order than one does, and Adam makes more of the last digit each time."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    PICTURES[number](pictures)
    weights = []
    for case, launcher in (("one", []), ("two", TORCHRUN)):
        mine = tmp_path / case
        create_short(number, mine, pictures, epochs=1, steps=2)
        weights.append(trained(mine, launcher))
    assert weights[0].keys() == weights[1].keys()
    one, two = (torch.cat([tensor.double().flatten() for tensor in w.values()]) for w in weights)
    assert 0 < (one - two).norm() / one.norm() < 1e-3
