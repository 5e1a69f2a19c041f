"""What every notebook shares: the bootstrap cell, the badge, the cost line, and the hash of its code."""

from __future__ import annotations

import ast
import hashlib
import re
import tomllib
from importlib.metadata import metadata

from course_utils import __version__
from course_utils.errors import CourseError
from course_utils.lessons import Lesson, written
from course_utils.paths import ROOT

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
COST = "<!-- course:cost -->"


def repository() -> str:
    """The public address of the course: the one setting from which badges and bootstrap cells are written."""
    file = ROOT / "pyproject.toml"
    if file.exists():
        urls = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["urls"]
    else:  # installed from a wheel
        urls = dict(line.split(", ", 1) for line in metadata("cnn-course").get_all("Project-URL"))
    return urls["Repository"].rstrip("/")


def release_tag() -> str:
    """The tag that Colab clones.

    >>> release_tag()
    'v0.1.0'
    """
    return f"v{__version__}"


def bootstrap_cell(address: str, tag: str) -> str:
    """The code of the bootstrap cell, the same in every notebook."""
    return f"""\
# On Colab this fetches the course and installs what is missing. Where the course is installed it does nothing.
import importlib.util, pathlib, runpy, subprocess, sys
if importlib.util.find_spec("course_utils") is None:
    address, tag, folder = "{address}", "{tag}", pathlib.Path("cnn-course")
    if not (folder / "pyproject.toml").exists():
        subprocess.run(["git", "clone", "-q", "--depth=1", f"--branch={{tag}}", address, str(folder)], check=True)
    sys.path.insert(0, str(folder.resolve()))
    runpy.run_module("course_utils.bootstrap", run_name="__main__")"""


def badge(name: str, address: str, tag: str) -> str:
    """The *Open in Colab* badge of a notebook, as Markdown."""
    path = address.removeprefix("https://github.com/")
    link = f"https://colab.research.google.com/github/{path}/blob/{tag}/notebooks/{name}.ipynb"
    return f"[![Open in Colab]({BADGE})]({link})"


def code_hash(nb) -> str:
    """SHA-256 over the sources of the code cells: outputs made from other code are stale."""
    sources = [cell["source"] for cell in nb["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def tagged(nb, tag: str) -> list:
    """The code cells that carry a tag."""
    return [c for c in nb["cells"] if c["cell_type"] == "code" and tag in c["metadata"].get("tags", [])]


def parameters(nb) -> dict:
    """The names and default values in the parameters cell.

    Raises :class:`CourseError` when there is not exactly one such cell, or when it holds anything but literals.
    """
    cells = tagged(nb, "parameters")
    if len(cells) != 1:
        raise CourseError(f"the notebook has {len(cells)} cells tagged 'parameters'; it needs exactly one.")
    values = {}
    for node in ast.parse(cells[0]["source"]).body:
        try:
            (target,) = node.targets
            values[target.id] = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            raise CourseError(
                f"the parameters cell holds {ast.unparse(node)!r}; it may hold only NAME = literal."
            ) from None
    return values


def exercise_of(cell) -> tuple[str, str]:
    """The exercise id and the answer's name in a cell that ends with ``check("01.1", name)``."""
    found = re.search(r"""^check\(\s*["']([\d.]+)["']\s*,\s*(\w+)\s*\)""", cell["source"], re.MULTILINE)
    if not found:
        raise CourseError(f'an exercise cell has no check("NN.k", name) line:\n{cell["source"]}')
    return found[1], found[2]


def cost_line(cost: dict) -> str:
    """One line on time and memory, from measurements: ``{"cpu fast": {"seconds": …, "peak_memory_mb": …}, …}``.

    >>> cost_line({"CPU, fast": {"seconds": 70, "peak_memory_mb": 1180}})
    '**Time and memory** (measured): CPU, fast: about 1.5 min, 1.2 GB <!-- course:cost -->'
    """

    def words(name, entry):
        half_minutes = max(1, -(-entry["seconds"] // 30))
        return f"{name}: about {half_minutes / 2:g} min, {entry['peak_memory_mb'] / 1000:.1f} GB"

    return "**Time and memory** (measured): " + " · ".join(words(*item) for item in cost.items()) + f" {COST}"


def with_cost(text: str, cost: dict) -> str:
    """Put :func:`cost_line` where a notebook or a cell of it has its marked line."""
    return re.sub(rf"(\*\*Time and memory\*\*.*?)?{COST}", lambda _: cost_line(cost), text)


def stamp(nb, lesson: Lesson, cost: dict | None = None) -> None:
    """Write into a notebook what is the same everywhere: bootstrap cell, badge, cell ids, cost line."""
    address, tag = repository(), release_tag()
    (cell,) = tagged(nb, "bootstrap")
    cell["source"] = bootstrap_cell(address, tag)
    first = nb["cells"][0]
    lines = [line for line in first["source"].split("\n") if BADGE not in line]
    first["source"] = "\n".join(lines).rstrip() + "\n\n" + badge(lesson.name, address, tag)
    for number, cell in enumerate(nb["cells"]):
        cell["id"] = f"{lesson.number}-{number:03d}"
        if cost and cell["cell_type"] == "markdown" and COST in cell["source"]:
            cell["source"] = with_cost(cell["source"], cost)


def fill(text: str, name: str, body: str) -> str:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->``.

    >>> fill("a <!-- n -->old<!-- /n --> b", "n", "new")
    'a <!-- n -->\\nnew\\n<!-- /n --> b'
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if start not in text or end not in text:
        raise CourseError(f"the text has no place marked {start} … {end}.")
    return text[: text.index(start)] + f"{start}\n{body}\n" + text[text.index(end) :]


def lesson_table() -> str:
    """The lessons that are written and the question each answers, as a Markdown table."""
    rows = ["| | lesson | the question it answers | before it | data |", "|---|---|---|---|---|"]
    for lesson in written():
        about = lesson.about
        data = ", ".join(f"[{d}](../datasets/{d}.md)" for d in about.get("data", [])) or "–"
        before = ", ".join(about.get("prerequisites", [])) or "–"
        rows.append(
            f"| {lesson.number} | [{lesson.title}]({lesson.name}.ipynb) | {about['question']} | {before} | {data} |"
        )
    return "\n".join(rows)
