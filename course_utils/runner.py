"""Execute lessons in fresh kernels with papermill, check their thresholds and say what came out."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import Pool
from pathlib import Path

from course_utils import runtime
from course_utils.errors import CourseError
from course_utils.exercises.checker import CHECK_MIME
from course_utils.lessons import Lesson
from course_utils.paths import ROOT
from course_utils.runtime import RECORD_MIME


@dataclass
class Outcome:
    """One executed lesson: its run in the form of results/*.json, and what went wrong, if anything."""

    lesson: Lesson
    run: dict
    problems: list[str]
    notebook: Path

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong."""
        return not self.problems

    @property
    def headline(self) -> str:
        """The lesson's headline metric, ready to print: ``accuracy 0.861 [0.834, 0.887]``."""
        name = self.lesson.about.get("headline", "")
        return f"{name} {number(self.run['metrics'][name])}" if name in self.run["metrics"] else "–"


def number(metric: dict) -> str:
    """A metric as text, with its interval.

    >>> number({"value": 0.8613, "low": 0.834, "high": 0.887, "n": 656, "unit": "fraction"})
    '0.861 [0.834, 0.887]'
    >>> number({"value": 12.04, "low": None, "high": None, "n": None, "unit": "ms"})
    '12 ms'
    """
    text = f"{metric['value']:.3g}"
    if metric["low"] is not None:
        text += f" [{metric['low']:.3g}, {metric['high']:.3g}]"
    return text if metric["unit"] in (None, "fraction") else f"{text} {metric['unit']}"


def checked_parameters(lesson: Lesson, parameters: dict) -> dict:
    """Return the parameters for a notebook, with ``DATA_DIR`` and ``WEIGHTS`` made absolute, since a kernel works elsewhere.

    Raises :class:`CourseError` for one that the notebook does not have, and for a folder that does not exist.
    """
    from course_utils import notebooks

    known = notebooks.parameters(read_notebook(lesson.path))
    for name in parameters:
        if name not in known:
            raise CourseError(
                f"lesson {lesson.name} has no parameter {name!r}. Parameters: {', '.join(known)}."
            )
    given = [name for name in ("DATA_DIR", "WEIGHTS") if parameters.get(name)]
    found = parameters | {name: str(Path(parameters[name]).expanduser().resolve()) for name in given}
    if "DATA_DIR" in given and not Path(found["DATA_DIR"]).is_dir():
        raise CourseError(
            f"DATA_DIR is {str(parameters['DATA_DIR'])!r}, and there is no such folder. Name one that holds your data."
        )
    return found


def run(
    lesson: Lesson, parameters: dict, out: Path, *, with_solutions=False, progress=True, nb=None
) -> Outcome:
    """Execute one lesson, or ``nb`` in place of its file, in a fresh kernel and write the executed notebook to ``out``.

    ``parameters`` are injected by papermill; those at ``"auto"`` follow the environment. The outcome lists as
    problems: a failed cell, a missing record, a missed threshold, and with solutions an exercise not passed.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    from course_utils import notebooks

    parameters = checked_parameters(lesson, parameters)
    nb = read_notebook(lesson.path) if nb is None else nb
    code = notebooks.code_hash(nb)
    if with_solutions:
        _fill_in_solutions(nb)
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{lesson.name}.ipynb"
    profile = runtime.resolve("", parameters.get("PROFILE", "auto"), "auto", "auto", 0).profile
    problems, begun, commit, began = [], [], _commit(), time.perf_counter()
    try:
        with environment(
            COURSE_RUNS=str(out.resolve() / "runs"), COURSE_CACHE=str(runtime.cache_dir().resolve())
        ):
            executed = papermill.execute_notebook(
                nb,
                str(target),
                parameters=parameters,
                kernel_name="python3",
                language="python",
                config=Config(KernelManager={"transport_encryption": "auto"}),
                cwd=str(out),
                # Saving after each cell costs seconds in all; only a long run is worth looking at before its end.
                request_save_on_cell_execute=profile == "full",
                on_cell_execute=lambda cell, cell_index: begun.append(cell),
                shutdown_kernel="immediate",  # all is written by then, and unloading torch takes seconds
                progress_bar=_bar(lesson) if progress else False,
            )
    except PapermillExecutionError as error:
        problems.append(
            f"cell [{error.exec_count}] raised {error.ename}: {error.evalue} (executed notebook: {target})"
        )
        executed = read_notebook(target)
    except DeadKernelError:
        problems.append(
            f"the kernel died in the cell that begins {begun[-1]['source'].partition(chr(10))[0]!r}; the usual cause is memory. "
            "Close other programs or use the fast profile."
        )
        executed = nb
    seconds = time.perf_counter() - began

    record = find_output(executed, RECORD_MIME)
    if not record and not problems:
        problems.append("the notebook stored no results: its last cell must call record(...).")
    run = _as_run(lesson, record[-1] if record else {}, seconds, commit, code)
    if record and not parameters.get("DATA_DIR"):
        problems += missed(lesson, run)
    if with_solutions:
        checks = find_output(executed, CHECK_MIME)
        problems += [
            f"exercise {c['id']} with its solution: {c['status']}" for c in checks if c["status"] != "passed"
        ]
    return Outcome(lesson, run, problems, target)


def run_all(
    lessons: list[Lesson], parameters: dict, out: Path, *, jobs=1, with_solutions=False
) -> Iterator[Outcome]:
    """Execute lessons as :func:`run` does, ``jobs`` at a time, and yield each outcome as soon as it is there.

    Lessons that run side by side share the cores: each kernel gets an equal part of them as threads.
    """
    if jobs == 1:
        yield from (run(lesson, parameters, out, with_solutions=with_solutions) for lesson in lessons)
        return
    threads = str(max(1, cores() // jobs))
    execute = partial(run, parameters=parameters, out=out, with_solutions=with_solutions, progress=False)
    with environment(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads), Pool(jobs) as pool:
        yield from pool.imap_unordered(execute, lessons)


def missed(lesson: Lesson, run: dict) -> list[str]:
    """The thresholds in the notebook's metadata that a run does not meet, as sentences."""
    real = not any(is_stand_in(source) for source in run["data"].values())
    sentences = []
    for name, bounds in lesson.expectations(run["profile"], real).items():
        if name not in run["metrics"]:
            sentences.append(f"{name} was not recorded, though a threshold stands for it")
            continue
        value = run["metrics"][name]["value"]
        if value < bounds.get("min", value):
            sentences.append(f"{name} is {value:.4g}, below its threshold {bounds['min']:g}")
        if value > bounds.get("max", value):
            sentences.append(f"{name} is {value:.4g}, above its threshold {bounds['max']:g}")
    return sentences


def is_stand_in(source: str) -> bool:
    """Whether a recorded data source is not the real set.

    >>> is_stand_in("stand-in: digits 28x28"), is_stand_in("package")
    (True, False)
    """
    return source.startswith(("stand-in", "generated"))


def find_output(nb, mime: str) -> list[dict]:
    """The JSON documents of one MIME type among a notebook's outputs, in order."""
    outputs = (out for cell in nb["cells"] for out in cell.get("outputs", []))
    return [out["data"][mime] for out in outputs if mime in out.get("data", {})]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """This machine in a few words: processor and its fast instructions, cores, memory, system. No names.

    Of the cores those count that a lesson may use: side by side, each has a part of them.

    >>> " core" in machine()
    True
    """
    import psutil

    cpuinfo, facts = Path("/proc/cpuinfo"), {}
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        facts = {key.strip(): value.strip() for key, _, value in lines}
    name = facts.get("model name") or platform.processor() or platform.machine()
    # With them a lesson is several times as fast.
    for instructions, flag in (("AVX-512", "avx512f"), ("bf16", "avx512_bf16")):
        name += f", {instructions}" * (flag in facts.get("flags", "").split())
    memory = psutil.virtual_memory().total / 2**30
    threads = os.environ.get("OMP_NUM_THREADS", "")
    count = min(cores(), int(threads)) if threads.isdigit() and int(threads) else cores()
    return f"{name}, {count} core{'s' * (count > 1)}, {memory:.0f} GiB, {platform.system()}"


def _as_run(lesson: Lesson, record: dict, seconds: float, commit: str | None, code: str) -> dict:
    return {
        "lesson": lesson.name,
        "profile": record.get("profile"),
        "device": record.get("device"),
        "seeds": record.get("seeds", []),
        "seconds": round(seconds, 1),
        "peak_memory_mb": record.get("peak_memory_mb"),
        "data": record.get("data", {}),
        "metrics": record.get("metrics", {}),
        "versions": record.get("versions", {}),
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit,
        "code_hash": code,
    }


def _bar(lesson: Lesson) -> dict:
    """The settings of papermill's bar; where nobody watches a terminal it speaks seldom."""
    return {"desc": lesson.name, "leave": False, "mininterval": 0.1 if sys.stderr.isatty() else 20}


def _commit() -> str | None:
    if not (ROOT / ".git").exists():  # git would look further up, and find the reader's own repository
        return None
    try:
        ask = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return ask.stdout.strip() or None


def _fill_in_solutions(nb) -> None:
    from course_utils.exercises.bank import solution_source
    from course_utils.notebooks import exercise_of, tagged

    for cell in tagged(nb, "exercise"):
        exercise, name = exercise_of(cell)
        cell["source"] = f'{solution_source(exercise, name)}\n\ncheck("{exercise}", {name})'


def read_notebook(path: Path):
    """Read a notebook in the current format."""
    import nbformat

    return nbformat.read(path, as_version=4)


@contextmanager
def environment(**variables: str):
    """Set environment variables, which kernels inherit, for the length of a ``with`` block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
