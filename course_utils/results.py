"""The numbers of full runs: results/<lesson>.json, and the tables made from them."""

from __future__ import annotations

import json
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.lessons import Lesson, written
from course_utils.notebooks import fill, with_cost
from course_utils.paths import RESULTS, ROOT
from course_utils.runner import is_stand_in, number


def _exactly(properties: dict) -> dict:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


METRIC = {
    "value": {"type": "number"},
    "low": {"type": ["number", "null"]},
    "high": {"type": ["number", "null"]},
    "n": {"type": ["integer", "null"]},
    "unit": {"type": ["string", "null"]},
}
RUN = {
    "lesson": {"type": "string", "pattern": r"^\d\d_[a-z0-9_]+$"},
    "profile": {"enum": ["fast", "full"]},
    "device": {"type": "string"},
    "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
    "seconds": {"type": "number", "exclusiveMinimum": 0},
    "peak_memory_mb": {"type": "number", "exclusiveMinimum": 0},
    "data": {"type": "object", "additionalProperties": {"type": "string"}},
    "metrics": {"type": "object", "minProperties": 1, "additionalProperties": _exactly(METRIC)},
    "versions": {"type": "object", "additionalProperties": {"type": "string"}},
    "machine": {"type": "string"},
    "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
    "commit": {"type": ["string", "null"]},
    "code_hash": {"type": ["string", "null"]},
}
SCHEMA = {"type": "array", "minItems": 1, "items": _exactly(RUN)}


def read(path: Path) -> list[dict]:
    """Read and validate a list of runs. Raises :class:`CourseError` that says which entry is wrong."""
    import jsonschema

    try:
        runs = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(runs, SCHEMA)
    except (OSError, json.JSONDecodeError) as error:
        raise CourseError(f"cannot read results from {path}: {error}") from None
    except jsonschema.ValidationError as error:
        raise CourseError(
            f"{path} is not a list of runs as `course run --json` writes it: {error.json_path}: {error.message}"
        ) from None
    return runs


def write(runs: list[dict], path: Path) -> None:
    """Write runs as JSON, by a temporary file that is renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def add(source: Path) -> list[Path]:
    """Take the runs of a file into results/<lesson>.json.

    A run replaces those of its kind (profile, device, real data or not) from the same machine or from other code.
    Raises :class:`CourseError`, before anything is written, for a run on the reader's own pictures.
    """
    runs = read(source)
    for run in runs:
        if own := [name for name, words in run["data"].items() if words == "own pictures"]:
            raise CourseError(
                f"{source}: {run['lesson']} ran on your own pictures {own[0]!r}; results/ holds the course's data only. "
                "Take that run out of the file; nothing was written."
            )

    def kind(run):
        return run["profile"], run["device"], tuple(map(is_stand_in, run["data"].values()))

    def replaced(old, new):
        elsewhere = old["machine"] != new["machine"] and old["code_hash"] == new["code_hash"]
        return kind(old) == kind(new) and not elsewhere

    changed = []
    for run in runs:
        path = RESULTS / f"{run['lesson']}.json"
        kept = [old for old in stored(Lesson(run["lesson"])) if not replaced(old, run)]
        write(sorted([*kept, run], key=lambda run: (kind(run), run["machine"])), path)
        changed.append(path)
    return changed


def stored(lesson: Lesson) -> list[dict]:
    """The runs in results/<lesson>.json; an empty list where there is none."""
    path = RESULTS / f"{lesson.name}.json"
    return read(path) if path.exists() else []


def source_words(data: dict[str, str]) -> str:
    """The data of a run in words: each set with its source.

    >>> source_words({"elpv": "package"})
    'elpv (real: package)'
    """
    return ", ".join(f"{k} ({v if is_stand_in(v) else 'real: ' + v})" for k, v in data.items()) or "none"


def headline(runs: list[dict]) -> list[dict]:
    """The run of each device that says most: a full one before a fast one, real data before a stand-in, then the newest.

    >>> told = [("fast", "cache", 3), ("full", "generated: x", 2), ("full", "cache", 1)]
    >>> runs = [{"device": "cpu", "profile": p, "data": {"bccd": d}, "date": f"2026-0{m}-01"} for p, d, m in told]
    >>> [run["date"] for run in headline(runs)]
    ['2026-01-01']
    """

    def rank(run):
        return run["profile"] == "full", not any(map(is_stand_in, run["data"].values())), run["date"]

    ordered = sorted(runs, key=rank)
    return list({run["device"]: run for run in ordered}.values())


def costs(runs: list[dict]) -> dict[str, dict]:
    """What a lesson's header says of time and memory: the newest run of each device and profile.

    >>> list(costs([{"device": "cuda", "profile": "full", "date": "2026-02-01"}]))
    ['GPU, full']
    """
    ordered = sorted(runs, key=lambda run: (run["device"] != "cpu", run["profile"] == "full", run["date"]))
    return {f"{'CPU' if run['device'] == 'cpu' else 'GPU'}, {run['profile']}": run for run in ordered}


def table(runs_of: list[tuple[Lesson, list[dict]]], link: str, where: bool = False) -> str:
    """A Markdown table of lessons and runs: headline metric, time, memory, device, data source; ``where`` adds machine and date."""
    rows = [
        f"| | lesson | headline result | profile | time | memory | device | data |{' machine | date |' if where else ''}",
        f"|---|---|---|---|---|---|---|---|{'---|---|' if where else ''}",
    ]
    for lesson, runs in runs_of:
        title = f"[{lesson.title}]({link}notebooks/{lesson.name}.ipynb)"
        about = lesson.about
        for run in runs:
            result = number({**run["metrics"][about["headline"]], "unit": None})
            if run["code_hash"] != about["code_hash"]:
                result += " †"
            seconds = run["seconds"]
            time = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
            rows.append(
                f"| {lesson.number} | {title} | {about['headline_words']}: {result} | {run['profile']} | {time} "
                f"| {run['peak_memory_mb'] / 1000:.1f} GB | {run['device']} | {source_words(run['data'])} |"
                + (f" {run['machine']} | {run['date']} |" if where else "")
            )
        if not runs:
            rows.append(
                f"| {lesson.number} | {title} | not measured yet | | | | | |{' | |' if where else ''}"
            )
    if any("†" in row for row in rows):
        rows += ["", "† measured with earlier code of the lesson's cells; the next run replaces it."]
    return "\n".join(rows)


def pages() -> dict[Path, str]:
    """The files that are made from results/*.json, and what should stand in them."""
    runs_of = [(lesson, stored(lesson)) for lesson in written()]
    lines = [
        "# Results",
        "",
        "Made by `course results` from the JSON files beside this page; each run was produced by `course run`.",
        "Each run names the commit whose code made it.",
        "",
    ]
    lines += [table(runs_of, link="../", where=True), ""]
    for lesson, runs in runs_of:
        for run in runs:
            lines += [f"## {lesson.number} {lesson.title}, {run['profile']}, {run['device']}", ""]
            lines += [
                f"{run['machine']} · {run['date']} · commit {run['commit']} · seeds {run['seeds']} · data: {source_words(run['data'])}",
                "",
            ]
            lines += ["| metric | value | n | unit |", "|---|---|---|---|"]
            lines += [
                f"| {k} | {number({**m, 'unit': None})} | {m['n'] or '–'} | {m['unit'] or '–'} |"
                for k, m in run["metrics"].items()
            ]
            lines += ["", "Versions: " + ", ".join(f"{k} {v}" for k, v in run["versions"].items()), ""]
    readme = ROOT / "README.md"
    short = table([(lesson, headline(runs)) for lesson, runs in runs_of], link="")
    headers = {
        lesson.path: with_cost(lesson.path.read_text(encoding="utf-8"), costs(runs))
        for lesson, runs in runs_of
        if runs
    }
    return headers | {
        RESULTS / "RESULTS.md": "\n".join(lines),
        readme: fill(readme.read_text(encoding="utf-8"), "results", short),
    }
