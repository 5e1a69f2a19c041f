"""The bootstrap cell on a machine like Colab's: torch is there, the course and one package are not."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from course_utils import bootstrap, notebooks
from course_utils.paths import ROOT

ABSENT = "pooch"


def git(*arguments, cwd):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def address(tmp_path):
    """A local bare repository that holds the course, tagged as a release."""
    work, bare = tmp_path / "work", tmp_path / "course.git"
    ignore = shutil.ignore_patterns("__pycache__", "runs", ".ipynb_checkpoints")
    for folder in ("course_utils", "notebooks", "datasets"):
        shutil.copytree(ROOT / folder, work / folder, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", work)
    git("init", "-q", cwd=work)
    git("add", ".", cwd=work)
    git("commit", "-q", "-m", "release", cwd=work)
    git("tag", notebooks.release_tag(), cwd=work)
    git("clone", "-q", "--bare", str(work), str(bare), cwd=tmp_path)
    return bare.as_uri()


@pytest.fixture
def colab(tmp_path):
    """A fresh environment that sees this one's packages, but for the course and one package; and that one's wheel."""
    if sys.platform == "win32":
        pytest.skip("links to folders need rights that Windows does not give")
    seen, wheels = tmp_path / "seen", tmp_path / "wheels"
    seen.mkdir(), wheels.mkdir()
    site = Path(distribution("torch").locate_file(""))
    for entry in site.iterdir():
        if (
            not entry.name.lower().startswith((ABSENT, "cnn_course", "_cnn_course", "pip"))
            and entry.suffix != ".pth"
        ):
            (seen / entry.name).symlink_to(entry)
    package = distribution(ABSENT)
    with zipfile.ZipFile(wheels / f"{ABSENT}-{package.version}-py3-none-any.whl", "w") as wheel:
        for file in package.files:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                wheel.write(file.locate(), str(file))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    own = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    Path(own.stdout.strip(), "colab.pth").write_text(str(seen))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "VIRTUAL"))}
    return (
        python,
        Path(own.stdout.strip()),
        environment | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull},
    )


def test_from_an_empty_folder(address, colab, tmp_path):
    python, site, environment = colab
    folder = tmp_path / "content"
    folder.mkdir()
    after = "\nimport course_utils, torch\nfrom course_utils import lessons\nprint(lessons.find('0').path.exists(), torch.__file__)"
    code = notebooks.bootstrap_cell(address, notebooks.release_tag()) + after
    first = subprocess.run([python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"Installing {ABSENT} beside torch==" in first.stdout
    assert f"True {tmp_path / 'seen' / 'torch'}" in first.stdout
    installed = {entry.name.split("-")[0] for entry in site.iterdir()} - {
        "pip",
        "setuptools",
        "_distutils_hack",
        "pkg_resources",
    }
    assert {ABSENT} <= installed and not installed & {"torch", "torchvision", "numpy"}

    again = subprocess.run([python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert again.returncode == 0 and "Everything the lessons need is installed." in again.stdout


def test_an_unreachable_address_leaves_no_folder_behind(colab, tmp_path):
    python, _, environment = colab
    folder = tmp_path / "content"
    folder.mkdir()
    code = notebooks.bootstrap_cell((tmp_path / "nothing.git").as_uri(), "v0")
    done = subprocess.run([python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode != 0 and not (folder / "cnn-course").exists()


def test_an_old_torch_is_left_alone():
    assert bootstrap.missing(["torch>=999", "numpy>=999", "torchvision>=999"]) == []
    assert bootstrap.missing(["tqdm>=999", "tqdm>=1"]) == ["tqdm>=999"]
