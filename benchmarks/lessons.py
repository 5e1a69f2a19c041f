"""What the course costs: seconds and memory of every lesson, and in which kind of cell the seconds go.

    python benchmarks/lessons.py [LESSON ...] [--profile fast] [--jobs 2] [--json FILE]

Executes the lessons with embedded data as ``course run`` does, two at a time. A cell counts as *imports* where it is the first that
imports, as *figures* where it draws, as *training* where it fits something, else as *other*; the start of the
kernel is what is left. The exit code is 1 where a lesson failed.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from timing import report, save

KINDS = ("imports", "training", "figures", "other")


def kind_of(cell, first: bool) -> str:
    """Which kind of cell this is."""
    if first:
        return "imports"
    if re.search(r"\bfit\(|\.fit\(|backward\(\)|train\w*\(", cell.source):
        return "training"
    return "figures" if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])) else "other"


def seconds_by_kind(path: Path) -> dict[str, float]:
    """The seconds of an executed notebook's cells, by kind."""
    spent, first = dict.fromkeys(KINDS, 0.0), True
    for cell in nbformat.read(path, as_version=4).cells:
        duration = cell.metadata.get("papermill", {}).get("duration")
        if cell.cell_type == "code" and duration:
            importing = first and bool(re.search(r"^(import|from) .*course_utils", cell.source, re.MULTILINE))
            spent[kind_of(cell, importing)] += duration
            first = first and not importing
    return spent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="numbers; all without one")
    parser.add_argument("--profile", choices=("fast", "full"), default="fast")
    parser.add_argument("--jobs", type=int, default=2, help="lessons side by side")
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        out, runs = Path(folder), Path(folder) / "runs.json"
        command = [
            sys.executable,
            "-m",
            "course_utils",
            "run",
            *options.lessons,
            "--profile",
            options.profile,
            "--jobs",
            str(options.jobs),
        ]
        began = time.perf_counter()
        done = subprocess.run([*command, "--data-source", "embedded", "--out", out, "--json", runs])
        wall = time.perf_counter() - began
        results = json.loads(runs.read_text(encoding="utf-8")) if runs.exists() else []
        table, total = [], dict.fromkeys(KINDS, 0.0)
        for run in results:
            spent = seconds_by_kind(out / f"{run['lesson']}.ipynb")
            total = {kind: total[kind] + spent[kind] for kind in KINDS}
            row = {
                "case": run["lesson"],
                "contender": options.profile,
                "n": 1,
                "value": run["seconds"],
                "unit": "s",
            }
            table.append(row | {"ratio": None, "memory_mb": run["peak_memory_mb"], **spent})
    title = f"The lessons in {options.profile}, {options.jobs} side by side"
    report(title, table)
    kernels = sum(row["value"] for row in table)
    total["start and end of kernels"] = kernels - sum(total.values())
    parts = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in total.items())
    largest = max((row["memory_mb"] for row in table), default=0)
    print(
        f"{len(table)} lessons, {options.jobs} at a time: {wall / 60:.1f} min; the seconds of the lessons: "
        f"{kernels:.0f} ({parts}); largest memory of one {largest / 1000:.1f} GB"
    )
    course = {
        "case": f"{len(table)} lessons",
        "contender": f"{options.jobs} at a time",
        "n": 1,
        "value": wall,
    }
    table.append(course | {"unit": "s", "ratio": None})
    save(
        options.json, title, table, seconds=wall, by_kind=total, largest_memory_mb=largest, jobs=options.jobs
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
