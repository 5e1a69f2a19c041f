"""A project of the reader's own from an application lesson: notebook, script, settings, requirements, smoke test.

``course new 13 wafers --data photos`` calls :func:`create`. Nothing in the project needs the course's repository, only the installed package.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template

from course_utils import notebooks
from course_utils.errors import CourseError
from course_utils.lessons import Lesson, written

TASKS = {
    "13": "classification",
    "14": "detection",
    "15": "segmentation",
    "16": "faces",
    "17": "medical",
    "18": "driving",
}

SCRIPT = Template('''"""$title on your own data, made from the notebook $name.ipynb. Runs without Jupyter:

    python train.py                          the settings of config.toml
    python train.py --PROFILE full           another value for one of them
$usage
Figures go to figures/, numbers to results/.
"""

import argparse
import os
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):  # that of a notebook has no such method
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # a pipe on Windows cannot take → as it is
settings = tomllib.loads((HERE / "config.toml").read_text(encoding="utf-8"))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
for name, value in settings.items():
    parser.add_argument(f"--{name}", default=value, type=type(value), help=f"now {value!r}".replace("%", "%%"))
$checkpoints
if int(os.environ.get("RANK", 0)):  # of several processes the first one speaks and writes
    sys.stdout = open(os.devnull, "w", encoding="utf-8")
    scratch = tempfile.TemporaryDirectory()  # goes with the process
    os.environ["COURSE_RUNS"] = scratch.name
else:
    for variable, folder in (("COURSE_FIGURES", HERE / "figures"), ("COURSE_RECORD_DIR", HERE / "results")):
        folder.mkdir(exist_ok=True)
        os.environ.setdefault(variable, str(folder))
os.environ.setdefault("COURSE_RUNS", str(HERE / "runs"))
globals().update(settings)

$code
''')

# What the package's Trainer can do, for the lessons that train with it.
USAGE = """\
    python train.py --checkpoints saved      keep each training's state in saved/; go on from there after a stop
    accelerate launch --num_processes 2 train.py   on two GPUs
"""
CHECKPOINTS = """\
parser.add_argument("--checkpoints", metavar="FOLDER", help="one that every machine sees and that outlives it")
settings = vars(parser.parse_args())
if checkpoints := settings.pop("checkpoints"):
    os.environ["COURSE_CHECKPOINTS"] = checkpoints"""
RESUME = "    python train.py --checkpoints saved     # goes on from saved/ after a stop\n"

SMOKE = Template('''"""Does the project run to its end on its data, and does it give finite numbers? It takes minutes, not hours."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_training_runs_to_its_end(tmp_path):
    for folder in ("figures", "results"):
        (tmp_path / folder).mkdir()
    own = {"COURSE_FIGURES": tmp_path / "figures", "COURSE_RECORD_DIR": tmp_path / "results", "COURSE_RUNS": tmp_path}
    environment = os.environ | {name: str(path) for name, path in own.items()}
    command = [sys.executable, str(HERE / "train.py"), "--PROFILE", "fast"]
    subprocess.run(command, check=True, env=environment)
    numbers = json.loads((tmp_path / "results" / "$name.json").read_text(encoding="utf-8"))["metrics"]
    assert numbers and all(math.isfinite(n["value"]) for n in numbers.values())
    assert list((tmp_path / "figures").glob("*.png"))
''')

README = Template("""# $title on my own data

Made from lesson $number of the CNN course with `course new`. The data: `$data`.

    pip install -r requirements.txt
    course inspect "$data" --task $task     # before any training: what is wrong with the pictures?
    python train.py                         # figures/, results/
    python train.py --PROFILE full          # longer, better
$resume    pytest test_smoke.py                    # does it still run?
    jupyter lab $name.ipynb                 # the same, cell by cell

`config.toml` holds the settings. `train.py` was made from the notebook: change either, and keep the one you use.
""")


def create(lesson: str, folder: str | Path, data: str | Path) -> list[Path]:
    """Write the project of one application lesson into a new folder; gives the files.

    ``lesson``: its number or name; ``data``: the reader's folder, for the notebook's ``DATA_DIR``. Raises
    :class:`CourseError` for a lesson without own data, a folder that is not empty or lies inside the data, or data that are not there.

    >>> create("07", "mine", ".")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    course_utils.errors.CourseError: lesson 07 does not take your own data. Valid: 13, 14, ...
    """
    entry = _template(lesson)
    folder, data = Path(folder).expanduser(), Path(data).expanduser()
    if not data.is_dir():
        raise CourseError(
            f"--data {str(data)!r} is {'a file' if data.exists() else 'not there'}. Give your folder of pictures."
        )
    if folder.resolve().is_relative_to(data.resolve()):
        raise CourseError(
            f"{str(folder)!r} lies inside the data {str(data)!r}: its figures would count as pictures. Give a folder beside it."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(
            f"{str(folder)!r} is there already and not empty. Give a new folder; nothing was written."
        )
    nb = _stripped(entry)
    settings = notebooks.parameters(nb) | {"PROFILE": "fast", "DATA_DIR": data.resolve().as_posix()}
    nb["cells"][_parameters_at(nb)]["source"] = "\n".join(
        f"{name} = {value!r}" for name, value in settings.items()
    )
    code = _script(nb)
    trainer = "Trainer(" in code
    words = {
        "usage": USAGE if trainer else "",
        "checkpoints": CHECKPOINTS if trainer else "settings = vars(parser.parse_args())",
        "resume": RESUME if trainer else "",
    }
    words |= {"name": entry.name, "number": entry.number, "title": entry.title, "task": TASKS[entry.number]}
    address, tag = notebooks.repository(), notebooks.release_tag()
    files = {
        f"{entry.name}.ipynb": json.dumps(nb, indent=1, ensure_ascii=False) + "\n",
        "train.py": SCRIPT.substitute(words, code=code),
        "config.toml": "".join(
            f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in settings.items()
        ),
        "requirements.txt": f"cnn-course @ git+{address}@{tag}\npytest\n",
        "README.md": README.substitute(words, data=data.resolve().as_posix()),
        "test_smoke.py": SMOKE.substitute(words),
        ".gitignore": "figures/\nresults/\nruns/\nsaved/\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _template(selector: str) -> Lesson:
    from course_utils.lessons import find

    entry = find(selector)
    if not _takes_own_data(entry):
        valid = [one.number for one in written() if _takes_own_data(one)]
        raise CourseError(f"lesson {entry.number} does not take your own data. Valid: {', '.join(valid)}.")
    return entry


def _takes_own_data(entry: Lesson) -> bool:
    return "DATA_DIR" in notebooks.parameters(_read(entry))


def _read(entry: Lesson) -> dict:
    import nbformat

    return nbformat.read(entry.path, as_version=4)


def _stripped(entry: Lesson) -> dict:
    """The notebook without outputs, exercises and what only the course's own copy needs; its links lead to the repository."""
    nb = _read(entry)
    at = f"{notebooks.repository()}/blob/{notebooks.release_tag()}"
    cells, exercises = [], False
    for cell in nb["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "markdown":
            text = cell["source"]
            if "## Sources" in text:
                text, exercises = text[text.index("## Sources") :], False
            elif "## Exercises" in text:
                text, exercises = text[: text.index("## Exercises")].rstrip(), True
            elif exercises:
                text = ""
            text = re.sub(r"^\[!\[Open in Colab\].*$\n?", "", text, flags=re.MULTILINE)
            text = re.sub(r"\]\(\.\./(datasets/[^)]+)\)", rf"]({at}/\1)", text)
            cell["source"] = re.sub(r"\]\((\d\d_\w+\.ipynb)\)", rf"]({at}/notebooks/\1)", text)
            if text.strip():
                cells.append(cell)
        elif not exercises and not {"bootstrap", "exercise"} & set(tags):
            cell["outputs"], cell["execution_count"] = [], None
            cells.append(cell)
    return {
        "cells": cells,
        "metadata": {"kernelspec": nb["metadata"]["kernelspec"]},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _parameters_at(nb) -> int:
    return next(i for i, cell in enumerate(nb["cells"]) if "parameters" in cell["metadata"].get("tags", []))


def _script(nb) -> str:
    """The code cells below each other, each under the heading that stands over it in the notebook."""
    parts = []
    for i, cell in enumerate(nb["cells"]):
        if cell["cell_type"] == "markdown":
            parts += [
                f"# {line.lstrip('# ')}" for line in cell["source"].split("\n") if line.startswith("## ")
            ]
        elif i != _parameters_at(nb):
            parts.append(cell["source"])
    return "\n\n".join(parts)
