"""Write the outputs that are committed: executed in a clean kernel on embedded data, stripped and checked."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from course_utils import notebooks, results, runner
from course_utils.errors import CourseError
from course_utils.lessons import Lesson, written
from course_utils.paths import NOTEBOOKS
from course_utils.runtime import RECORD_MIME

MAX_BYTES = 1_000_000
SETTINGS = {
    "COURSE_PROFILE": "fast",
    "COURSE_DATA_SOURCE": "embedded",
    "COURSE_DEVICE": "cpu",
    "COURSE_SEED": "0",
}
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def render(lesson: Lesson, progress: bool = True) -> Path:
    """Execute a lesson with the committed settings and write it back with its outputs.

    Raises :class:`CourseError` when it fails, misses a threshold, writes to stderr, shows a path of this machine or
    grows over 1 MB; the notebook on disk is then left as it was.
    """
    import nbformat

    nb = runner.read_notebook(lesson.path)
    notebooks.stamp(nb, lesson)
    with tempfile.TemporaryDirectory() as folder, runner.environment(**SETTINGS):
        outcome = runner.run(lesson, {}, Path(folder), progress=progress, nb=nb)
        executed = runner.read_notebook(outcome.notebook)
    problems = outcome.problems + complaints(executed)
    if problems:
        raise CourseError(f"{lesson.name} is not rendered:\n  " + "\n  ".join(problems))
    notebooks.stamp(executed, lesson, results.costs(results.stored(lesson)) or {"CPU, fast": outcome.run})
    text = nbformat.writes(stripped(executed)) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise CourseError(
            f"{lesson.name} has {len(text.encode()):,} bytes with its outputs; the limit is {MAX_BYTES:,}. Show fewer or smaller figures."
        )
    temporary = lesson.path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(lesson.path)
    return lesson.path


def stripped(nb):
    """Remove what changes from run to run and says nothing: timestamps, papermill's notes, kernel details, where a print was cut."""
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    nb, _ = CoalesceStreamsPreprocessor().preprocess(nb, {})
    course = dict(nb["metadata"]["course"], code_hash=notebooks.code_hash(nb))
    nb["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}, "course": course}
    for cell in nb["cells"]:
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = {"tags": tags} if tags else {}
        for output in cell.get("outputs", []):
            if RECORD_MIME in output.get("data", {}):
                output["data"][RECORD_MIME].pop("peak_memory_mb", None)
    return nb


def complaints(nb) -> list[str]:
    """What a reader must not see in committed outputs: errors, stderr, and paths of the machine that made them."""
    private = {str(Path.home()), str(NOTEBOOKS.parent), tempfile.gettempdir()}
    found = []
    for number, cell in enumerate(nb["cells"]):
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                found.append(f"cell {number} raised {output['ename']}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} writes to stderr: {output['text'][:200]!r}")
            text = json.dumps(
                {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
            ) + output.get("text", "")
            found += [f"cell {number} shows the local path {path}" for path in private if path in text]
    return found


def pages() -> dict[Path, str]:
    """The Markdown pages that are made from the lessons, cards and exercises, and what should stand in them."""
    from course_utils.data.cards import index_markdown
    from course_utils.exercises.bank import solutions_markdown
    from course_utils.paths import CARDS

    index = NOTEBOOKS / "README.md"
    made = {
        index: notebooks.fill(index.read_text(encoding="utf-8"), "lessons", notebooks.lesson_table()),
        CARDS / "README.md": index_markdown(),
    }
    for lesson in written():
        made[NOTEBOOKS / "solutions" / f"{lesson.name}.md"] = solutions_markdown(lesson.name)
    return made


def picture() -> bytes:
    """The README's picture: the first figure of lesson 01, as PNG."""
    import base64

    nb = runner.read_notebook(Lesson("01_convolution").path)
    pictures = (
        out.data["image/png"]
        for cell in nb.cells
        for out in cell.get("outputs", [])
        if "image/png" in out.get("data", {})
    )
    return base64.b64decode(next(pictures))
