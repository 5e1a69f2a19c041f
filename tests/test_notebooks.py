"""Every notebook has the skeleton of the course, current outputs, and prose without measured numbers."""

import itertools
import re
import statistics
from pathlib import Path

import nbformat
import prose
import pytest

from course_utils import lessons, notebooks, render, results
from course_utils.data import cards
from course_utils.exercises.bank import exercises
from course_utils.paths import NOTEBOOKS, ROOT

LESSONS = lessons.written()
SECTIONS = ["## What goes wrong", "## Summary", "## Exercises", "## Sources"]
SETTINGS = {"PROFILE": "auto", "DATA_SOURCE": "auto", "DEVICE": "auto", "SEED": "auto"}
APPLICATIONS = {f"{n}" for n in range(13, 19)}

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def read(lesson):
    return nbformat.read(lesson.path, as_version=4)


def code_cells(nb):
    return [c for c in nb.cells if c.cell_type == "code"]


def markdown(nb):
    return [c.source for c in nb.cells if c.cell_type == "markdown"]


def outputs(nb):
    return [out for cell in code_cells(nb) for out in cell.outputs]


def test_every_notebook_is_a_lesson():
    assert {p.stem for p in NOTEBOOKS.glob("*.ipynb")} == {lesson.name for lesson in LESSONS}


@each_lesson
def test_metadata(lesson):
    about = lesson.about
    assert about["lesson"] == lesson.name and about["title"] and about["question"].endswith("?")
    assert about["headline_words"], "what the headline metric measures, for the table of results"
    assert set(about["data"]) <= set(cards()), "a dataset without a card"
    assert all(lessons.find(number) for number in about["prerequisites"])
    for profile in ("fast", "full"):
        thresholds = [b for by_metric in about["expect"][profile].values() for b in by_metric.values()]
        assert thresholds and all(set(b) <= {"min", "max"} and b for b in thresholds)
        kinds = about["expect"][profile]
        data = [real for real, kind in ((False, "embedded"), (True, "real")) if {kind, "any"} & set(kinds)]
        assert all(about["headline"] in lesson.expectations(profile, real) for real in data)


@each_lesson
def test_opening(lesson):
    nb = read(lesson)
    first, header = nb.cells[0].source, nb.cells[1].source
    assert re.match(rf"# {lesson.number} \S", first)
    assert notebooks.badge(lesson.name, notebooks.repository(), notebooks.release_tag()) in first
    assert re.search(rf"measured.*about .* min.*GB.*{notebooks.COST}", header), (
        "the cost line is not stamped: course render"
    )
    for name in lesson.about["data"]:
        assert f"../datasets/{name}.md" in header
    tags = [c.metadata.get("tags", []) for c in code_cells(nb)[:4]]
    assert tags[0] == ["bootstrap"] and tags[2] == ["parameters"]
    assert "import" in code_cells(nb)[1].source
    assert f'runtime.start("{lesson.name}"' in code_cells(nb)[3].source


@each_lesson
def test_bootstrap_and_parameters_cells(lesson):
    nb = read(lesson)
    (bootstrap,) = notebooks.tagged(nb, "bootstrap")
    assert bootstrap.source == notebooks.bootstrap_cell(notebooks.repository(), notebooks.release_tag())
    assert len(bootstrap.source.splitlines()) <= 8
    values = notebooks.parameters(nb)
    assert dict(list(values.items())[:4]) == SETTINGS
    assert ("DATA_DIR" in values) == (lesson.number in APPLICATIONS)


@each_lesson
def test_code_cells(lesson):
    cells = [c for c in code_cells(read(lesson)) if "bootstrap" not in c.metadata.get("tags", [])]
    lengths = [len(c.source.splitlines()) for c in cells]
    assert max(lengths) <= 25 and statistics.median(lengths) <= 9, lengths
    for cell in cells:
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE), "shell or magic"
        assert "import *" not in cell.source
        assert not re.search(r"\b(subprocess|os\.system|pip)\b", cell.source)


@each_lesson
def test_closing(lesson):
    nb = read(lesson)
    text = "\n".join(markdown(nb))
    places = [text.index(section) for section in SECTIONS]
    assert places == sorted(places)
    assert "record(" in code_cells(nb)[-1].source
    sources = text[places[-1] :]
    assert len(re.findall(r"\b(?:1[89]|20)\d\d\b", sources)) >= 2, "sources are named with their year"


@each_lesson
def test_exercises(lesson):
    cells = notebooks.tagged(read(lesson), "exercise")
    named = dict(notebooks.exercise_of(cell) for cell in cells)
    assert list(named) == list(exercises(lesson.number))
    assert named == {key: e.name for key, e in exercises(lesson.number).items()}, (
        "messages use the bank's names"
    )
    assert len(named) >= (3 if lesson.number == "00" else 5)
    assert all("..." in cell.source for cell in cells), "an exercise is answered already"


@each_lesson
def test_outputs_are_current_and_clean(lesson):
    nb = read(lesson)
    assert lesson.about["code_hash"] == notebooks.code_hash(nb), (
        "the code has changed since the outputs: course render"
    )
    assert [c.execution_count for c in code_cells(nb)] == list(range(1, len(code_cells(nb)) + 1))
    assert [c.id for c in nb.cells] == [f"{lesson.number}-{i:03d}" for i in range(len(nb.cells))]
    assert render.complaints(nb) == []
    assert lesson.path.stat().st_size <= render.MAX_BYTES
    for out in outputs(nb):
        assert len(str(out.get("text", "")).splitlines()) <= 40, "a wall of output"
    for cell in code_cells(nb):
        streams = [out.get("name") for out in cell.outputs]
        assert all(a is None or a != b for a, b in itertools.pairwise(streams)), (
            "what one cell prints is cut in two"
        )


@each_lesson
def test_figures_have_alt_text(lesson):
    pictures = [out for out in outputs(read(lesson)) if "image/png" in out.get("data", {})]
    assert pictures, "a lesson without a figure"
    for out in pictures:
        assert len(out.metadata.get("image/png", {}).get("alt", "")) >= 20
    for text in markdown(read(lesson)):
        assert not re.search(r"!\[\s*\]\(", text)


@each_lesson
def test_prose(lesson):
    for text in markdown(read(lesson)):
        assert prose.measured_numbers(text) == [], text
        assert prose.bad_style(text) == [], text


@pytest.mark.parametrize(
    "path",
    [*NOTEBOOKS.glob("*.ipynb"), *ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *NOTEBOOKS.glob("*/*.md")],
    ids=lambda p: p.name,
)
def test_relative_links_resolve(path: Path):
    text = (
        "\n".join(markdown(nbformat.read(path, as_version=4)))
        if path.suffix == ".ipynb"
        else path.read_text(encoding="utf-8")
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "#", "mailto:")):
            assert (path.parent / target.split("#")[0]).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("pages", [render.pages, results.pages], ids=["lessons", "results"])
def test_made_pages_are_current(pages):
    for path, text in pages().items():
        assert path.read_text(encoding="utf-8") == text, (
            f"{path.name} is stale: course render or course results"
        )


def test_the_picture_of_the_readme_is_current():
    assert (NOTEBOOKS / "opening.png").read_bytes() == render.picture()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It reaches 0.884 of them.", True),
        ("It takes 12 s here.", True),
        ("About 93 % are right.", True),
        ("It is 200× faster.", True),
        ("A 3×3 kernel on 64 channels and 8 × 8 pixels.", False),
        ("With $p = 0.5$ and `lr=0.01`.", False),
        ("The authors report 0.884 (Deitsch et al., 2019).", False),
        ("Exercise 01.3 asks for it.", False),
    ],
)
def test_the_rule_on_measured_numbers(text, found):
    assert bool(prose.measured_numbers(text)) == found
