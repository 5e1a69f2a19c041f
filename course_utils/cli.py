"""The command line: ``course list | run | render | data | doctor | inspect | new | faces | shards | results``."""

from __future__ import annotations

import os
import shlex
import sys
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import typer

from course_utils.cli_faces import faces_app
from course_utils.errors import CourseError, DataError
from course_utils.paths import NOTEBOOKS

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Run, check and render the lessons of the CNN course."
)
data_app = typer.Typer(no_args_is_help=True, help="List, fetch and verify the datasets.")
app.add_typer(data_app, name="data")
app.add_typer(faces_app, name="faces")

Lessons = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LESSON …]", help="Numbers or names; all lessons if none is given."),
]


def main() -> None:
    """Run the command line; a :class:`CourseError` that reaches it is bad usage: one message, exit code 2."""
    for stream in (sys.stdout, sys.stderr):  # a redirected one may know few letters, on Windows
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app()
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _chosen(selectors: list[str] | None):
    from course_utils import lessons

    return [lessons.find(s) for s in selectors] if selectors else lessons.written()


@app.command("list")
def list_lessons() -> None:
    """List the lessons, written and planned."""
    from course_utils.lessons import TITLES, Lesson

    for lesson in map(Lesson, TITLES):
        state = lesson.about.get("question", lesson.title) if lesson.path.exists() else "(planned)"
        print(f"{lesson.name:30} {state}")


@app.command()
def run(
    lessons: Lessons = None,
    profile: Annotated[str, typer.Option(help="fast, full or auto")] = "auto",
    data_source: Annotated[str, typer.Option(help="real, embedded or auto")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    seed: Annotated[str, typer.Option(help="a whole number, or auto")] = "auto",
    out: Annotated[Path, typer.Option(help="folder for the executed notebooks")] = Path("runs"),
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="another parameter of the lesson")
    ] = None,
    with_solutions: Annotated[
        bool, typer.Option("--with-solutions", help="fill in the reference solutions")
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            min=1, help="lessons side by side, which share the cores: for many lessons, not for timing"
        ),
    ] = 1,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="write the runs that recorded results there as JSON"),
    ] = None,
) -> None:
    """Execute lessons in fresh kernels and check their thresholds."""
    from course_utils import results, runner, runtime

    runtime.resolve("", profile, data_source, device, seed)
    settings = {
        "PROFILE": profile,
        "DATA_SOURCE": data_source,
        "DEVICE": device,
        "SEED": seed if seed == "auto" else int(seed),
    }
    parameters = {k: v for k, v in settings.items() if v != "auto"} | _assignments(set_ or [])
    if json_file and json_file.is_dir():
        raise CourseError(f"--json {str(json_file)!r} is a folder. Give a file; nothing was run.")
    chosen = _chosen(lessons)
    for lesson in chosen:
        runner.checked_parameters(lesson, parameters)
    print(f"{'lesson':28} {'seconds':>8} {'memory':>8}  {'headline':38} data")
    outcomes = []
    for outcome in runner.run_all(chosen, parameters, out, jobs=jobs, with_solutions=with_solutions):
        outcomes.append(outcome)
        memory = f"{outcome.run['peak_memory_mb']:,} MB" if outcome.run["peak_memory_mb"] else "–"
        data = results.source_words(outcome.run["data"])
        print(
            f"{outcome.lesson.name:28} {outcome.run['seconds']:8.1f} {memory:>8}  {outcome.headline:38} {data}"
        )
        for problem in outcome.problems:
            print(f"  FAILED: {problem}")
        if json_file:
            runs = [outcome.run for outcome in outcomes if outcome.run["metrics"]]
            results.write(sorted(runs, key=itemgetter("lesson")), json_file)
    raise typer.Exit(0 if all(outcome.ok for outcome in outcomes) else 1)


def _assignments(texts: list[str]) -> dict:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise CourseError(f"--set {text!r} is not of the form NAME=VALUE.")
        values[name] = value
    return values


@app.command()
def render(lessons: Lessons = None) -> None:
    """Execute lessons on embedded data and write their outputs and the pages made from them."""
    from course_utils import render as rendering
    from course_utils import results as stored

    for lesson in _chosen(lessons):
        print("rendered", rendering.render(lesson).name)
    _write_pages(rendering.pages() | stored.pages())
    (NOTEBOOKS / "opening.png").write_bytes(rendering.picture())


@app.command()
def results(
    add: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="take the runs of this file into results/; may be given again"),
    ] = None,
) -> None:
    """Make results/RESULTS.md, the README's table and the lessons' lines on time and memory from results/*.json."""
    from course_utils import results as stored

    for source in add or []:
        for path in stored.add(source):
            print("updated", path.name)
    _write_pages(stored.pages())


def _write_pages(pages: dict[Path, str]) -> None:
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print("wrote", path.name)


@app.command()
def doctor() -> None:
    """Say whether this machine can run the course, and how fast it is."""
    from course_utils.doctor import findings

    bad = 0
    for name, ok, text in findings():
        print(f"{'ok ' if ok else 'BAD'}  {name:12} {text}")
        bad += not ok
    raise typer.Exit(1 if bad else 0)


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="the folder with the pictures and their labels")],
    task: Annotated[
        str, typer.Option(help="classification, detection, segmentation, faces, medical or driving")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the report with pictures there, one HTML file")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="write every finding and file there as JSON")
    ] = None,
) -> None:
    """Look at your own pictures and labels before any training; nothing is changed.

    Formats: class folders, CSV, COCO JSON, Pascal VOC, YOLO text, pictures with masks, people folders, DICOM.
    Exit code 1 if something would break training or its score, 2 for bad usage.

    Example: course inspect photos --task classification --html report.html
    """
    import json

    from course_utils import inspection
    from course_utils.inspection import page, report

    for file in filter(None, (html, json_file)):
        if not file.parent.is_dir() or file.is_dir():
            raise CourseError(f"{str(file)!r} cannot be written. Give a file in a folder that is there.")
    found = inspection.inspect_folder(path, task)
    print("\n".join(report.lines(found)))
    if html:
        page.write(found, html)
        print(f"wrote {html}")
    if json_file:
        text = json.dumps(report.document(found), indent=1, ensure_ascii=False)
        json_file.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        print(f"wrote {json_file}")
    raise typer.Exit(0 if found.ok else 1)


@app.command()
def new(
    lesson: Annotated[str, typer.Argument(help="an application lesson, such as 13")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a new folder for the project")],
    data: Annotated[Path, typer.Option(help="the folder with your pictures and their labels")],
) -> None:
    """Make a small project of your own from an application lesson: notebook, train.py, settings, smoke test.

    Example: course new 13 wafers --data photos
    """
    from course_utils import project

    for file in project.create(lesson, folder, data):
        print(file)
    if os.name == "nt":  # its two shells quote alike, and chain differently
        print(f'Next: cd "{folder}"\nThen: python train.py')
    else:
        print(f"Next: cd {shlex.quote(str(folder))} && python train.py")


@app.command()
def shards(
    pictures: Annotated[Path, typer.Argument(help="a folder with one sub-folder for each class")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a new folder for the tar files")],
    per_shard: Annotated[int, typer.Option(help="pictures in each tar file")] = 1000,
) -> None:
    """Copy a folder of pictures into tar files that are read as a stream: for more pictures than memory holds.

    Needs the extra `shards`. course_utils.shards.ShardLoader reads them.

    Example: course shards photos photos_shards
    """
    from course_utils.data.folders import image_folder
    from course_utils.shards import write_shards

    found = image_folder(pictures, note=False)
    for path, reason in found.skipped:
        print(f"left out: {path}: {reason}")
    print(
        f"{len(found):,} pictures of {len(found.classes)} classes; wrote {write_shards(found, folder, per_shard)}"
    )


Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME …]", help="Datasets; all if none is given.")
]


def _names(names: list[str] | None) -> list[str]:
    from course_utils.data import card, cards

    return [card(name).name for name in names] if names else sorted(cards())


@data_app.command("list")
def data_list() -> None:
    """List the datasets: task, size, licence, and what stands in when they cannot be had."""
    from course_utils.data import cards

    for name, entry in sorted(cards().items()):
        print(f"{name:16} {entry.task:24} {entry.license:18} {entry.pretty_name}")


@data_app.command("fetch")
def data_fetch(names: Names = None) -> None:
    """Fetch datasets into the cache: from the mirror if COURSE_MIRROR is set, else from the public source."""
    from course_utils.data import fetch

    failed = False
    for name in _names(names):
        try:
            print(f"{name:16} {fetch(name)}")
        except DataError as error:
            failed = True
            print(f"{name:16} FAILED: {error}")
    raise typer.Exit(1 if failed else 0)


@data_app.command("verify")
def data_verify(names: Names = None) -> None:
    """Compare every file that is here with its card; exit code 1 if one is wrong."""
    from course_utils.data import verify

    wrong = 0
    for name in _names(names):
        found = verify(name)
        bad = [(file, message) for file, ok, message in found if not ok]
        state = f"{len(found) - len(bad)} of {len(found)} files are right" if found else "not fetched"
        print(f"{name:16} {state}")
        for file, message in bad[:10]:
            print(f"  {file}: {message}")
        wrong += len(bad)
    raise typer.Exit(1 if wrong else 0)
