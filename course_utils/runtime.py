"""Settings of a lesson run, and the record of what it measured.

A lesson's parameters cell holds ``"auto"`` for each setting; ``"auto"`` follows an environment variable, so the
same notebook runs under papermill (which sets the cell), under nbval (which can only set variables) and by hand.
"""

from __future__ import annotations

import json
import operator
import os
import platform
import random
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course_utils.errors import CourseError, choice

PROFILES = ("fast", "full")
DATA_SOURCES = ("real", "embedded", "auto")
DEVICES = ("auto", "cpu", "cuda", "mps")
RECORD_MIME = "application/vnd.cnn-course.record+json"


@dataclass
class Value:
    """A measured number with its interval (``low``, ``high``), sample size ``n`` and unit.

    >>> Value(0.85, low=0.82, high=0.88, n=656, unit="fraction").value
    0.85
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    unit: str | None = None


@dataclass
class Run:
    """The settings of one execution of a lesson, resolved: no ``"auto"`` is left but in ``data_source``."""

    lesson: str = ""
    profile: str = "fast"
    data_source: str = "auto"
    device_name: str = "auto"
    seed: int = 0
    seeds: list[int] = field(default_factory=list)

    def pick(self, *, fast, full):
        """Return the value for the current profile.

        >>> Run(profile="full").pick(fast=1, full=20)
        20
        """
        return {"fast": fast, "full": full}[self.profile]

    @property
    def device(self):
        """The ``torch.device`` to compute on; ``auto`` prefers CUDA, then Apple's MPS, then the CPU."""
        return usable(_kinds()[0] if self.device_name == "auto" else self.device_name)

    @property
    def folder(self) -> Path:
        """Where the lesson may write files: ``runs/<lesson>`` in the working folder, or below ``COURSE_RUNS``."""
        path = Path(os.environ.get("COURSE_RUNS") or "runs", self.lesson or "scratch")
        path.mkdir(parents=True, exist_ok=True)
        return path

    def generator(self, offset: int = 0):
        """A CPU ``torch.Generator`` seeded with ``seed + offset``: one stream for each use."""
        import torch

        return torch.Generator().manual_seed(self.seed + offset)


_current = Run()


def _kinds() -> list[str]:
    """The kinds of device that are here, the fastest first."""
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    return ["cuda"] * cuda + ["mps"] * mps + ["cpu"]


def usable(device):
    """``device``, a name or a ``torch.device``, as a ``torch.device``.

    Raises :class:`CourseError` that lists what is here if it is not.

    >>> usable("cpu")
    device(type='cpu')
    """
    import torch

    kinds = _kinds()
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise CourseError(f"device {str(device)!r} is unknown. Usable: {', '.join(kinds)}.") from None
    missing = wanted.type in ("cuda", "mps") and wanted.type not in kinds
    if missing or (wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count()):
        raise CourseError(
            f"device {str(device)!r} is not available here. Usable: {', '.join(kinds)}. "
            "Set DEVICE to one of them, or to auto."
        )
    return wanted


def current() -> Run:
    """The active run; outside a lesson, one with the default settings and the environment's."""
    return _current if _current.lesson else resolve("", "auto", "auto", "auto", "auto")


def start(lesson: str, profile="auto", data_source="auto", device="auto", seed="auto") -> Run:
    """Resolve a lesson's parameters, seed every generator and forget what an earlier run loaded.

    Each argument is a value or ``"auto"``, which follows ``COURSE_PROFILE``, ``COURSE_DATA_SOURCE``,
    ``COURSE_DEVICE`` and ``COURSE_SEED``. Raises :class:`CourseError` for a value that is not valid.

    >>> start("00_start_here", profile="fast", seed=3).seed
    3
    """
    global _current
    _current = resolve(lesson, profile, data_source, device, seed)
    from course_utils.data import forget_sources

    forget_sources()
    keep_freed_memory()
    take_own_gpu(_current.device)
    seed_everything(_current.seed)
    return _current


def resolve(lesson, profile, data_source, device, seed) -> Run:
    """Return the run that these settings ask for, without starting it."""

    def setting(value, variable, default):
        return os.environ.get(variable, "").strip() or default if value == "auto" else value

    seed = setting(seed, "COURSE_SEED", 0)
    try:
        seed = operator.index(int(seed) if isinstance(seed, str) else seed)
        if seed < 0:
            raise ValueError
    except (TypeError, ValueError):
        raise CourseError(f"SEED is {seed!r}. Valid: a whole number from 0, or auto.") from None
    return Run(
        lesson=lesson,
        profile=choice(setting(profile, "COURSE_PROFILE", "fast"), PROFILES, "profile"),
        data_source=choice(setting(data_source, "COURSE_DATA_SOURCE", "auto"), DATA_SOURCES, "data source"),
        device_name=choice(setting(device, "COURSE_DEVICE", "auto"), DEVICES, "device"),
        seed=seed,
        seeds=[seed],
    )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, and ask torch for kernels that repeat their results where it has them.

    On a GPU float32 convolutions keep all their digits: TF32, which drops 13 bits, would put every comparison with
    arithmetic by hand off by a thousandth. Training does not slow down, since the trainer computes in bf16 or fp16 there.
    """
    import warnings

    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    # The same flags as use_deterministic_algorithms(True, warn_only=True), without the compiler that it imports.
    torch.set_deterministic_debug_mode("warn")
    # On a GPU some gradients (of adaptive pooling, of bicubic resizing) have no other kernel, and torch would say so each time.
    warnings.filterwarnings("ignore", message=r".*does not have a deterministic implementation")
    torch.utils.deterministic.fill_uninitialized_memory = (
        False  # costs time, and the course reads no such memory
    )
    torch.backends.cudnn.benchmark = False
    warnings.filterwarnings("ignore", message="Please use the new API settings to control TF32")  # torch 2.9
    torch.backends.cudnn.allow_tf32 = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def take_own_gpu(device) -> None:
    """Let ``"cuda"`` mean the GPU of this process, where ``accelerate launch`` or ``torchrun`` has started several."""
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        import torch

        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


def keep_freed_memory() -> None:
    """Let freed memory stay with the process, in large pages, where the C library is glibc.

    glibc returns every block of 32 MB or more to the system when it is freed. A network's activations are such blocks,
    so each batch pays for its memory anew, page by page: in lesson 13 that took two thirds of the time. Elsewhere this
    does nothing. Source: mallopt(3); THP_MEM_ALLOC_ENABLE in PyTorch's CPU allocator.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    import ctypes

    trim_threshold, mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def cache_dir() -> Path:
    """The folder for fetched data: ``COURSE_CACHE``, else the user's cache folder."""
    import pooch

    return Path(os.environ.get("COURSE_CACHE") or pooch.os_cache("cnn-course")).expanduser()


def mirror() -> str | None:
    """The folder or URL that is tried before the public sources: ``COURSE_MIRROR``."""
    return os.environ.get("COURSE_MIRROR") or None


def without_login(address: str | Path) -> str:
    """An address as it may be printed: without the user and the password that may stand in it.

    >>> without_login("https://ada:secret@example.org/data"), without_login("mirror/a@b")
    ('https://example.org/data', 'mirror/a@b')
    """
    return re.sub("(?<=://)[^/]*@", "", str(address))


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far, in megabytes (10⁶ bytes)."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide a result."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in (
        "cnn-course",
        "torch",
        "torchvision",
        "timm",
        "accelerate",
        "onnxruntime",
        "numpy",
        "scikit-learn",
        "albumentations",
    ):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record(*, seeds: list[int] | None = None, **metrics) -> None:
    """Store a lesson's results in the notebook, as JSON that ``course run`` reads back.

    Each keyword is a number or a :class:`Value`. The record says which data sources were used, on which device,
    with which seeds and versions. Raises :class:`CourseError` for a value that is not a finite number.
    """
    from course_utils.data import sources_used

    run = current()
    values = {name: _checked(name, value) for name, value in metrics.items()}
    document = {
        "lesson": run.lesson,
        "profile": run.profile,
        "device": _computed_on(run.device),
        "seeds": list(seeds) if seeds is not None else run.seeds,
        "peak_memory_mb": round(peak_memory_mb()),
        "data": sources_used(),
        "metrics": values,
        "versions": versions(),
    }
    if folder := os.environ.get("COURSE_RECORD_DIR"):
        path = Path(folder, f"{run.lesson}.json")
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    text = "\n".join(f"{name}: {_readable(v)}" for name, v in values.items())
    text += "\ndata: " + (", ".join(f"{k} ({v})" for k, v in document["data"].items()) or "none")
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display({RECORD_MIME: document, "text/plain": text}, raw=True)
    else:
        print(text)


def _computed_on(device) -> str:
    """``device``, or the CPU where nothing was put on the GPU: some lessons need none."""
    import torch

    idle = device.type == "cuda" and not torch.cuda.is_initialized()
    return "cpu" if idle else str(device)


def _checked(name: str, value) -> dict:
    value = value if isinstance(value, Value) else Value(value)
    fields = asdict(value)
    for key in ("value", "low", "high"):
        if fields[key] is None and key != "value":
            continue
        try:
            fields[key] = float(fields[key])
        except (TypeError, ValueError):
            raise CourseError(f"record({name}=…): {key} is {fields[key]!r}, not a number.") from None
        if not abs(fields[key]) < float("inf"):
            raise CourseError(
                f"record({name}=…): {key} is {fields[key]}. A result must be finite; look for the step that broke."
            )
    if (fields["low"] is None) != (fields["high"] is None):
        raise CourseError(
            f"record({name}=…): an interval needs low and high; {fields['low']} and {fields['high']} given."
        )
    if fields["n"] is not None:
        fields["n"] = int(fields["n"])
    return fields


def _readable(v: dict) -> str:
    text = f"{v['value']:.4g}"
    if v["low"] is not None:
        text += f" [{v['low']:.4g}, {v['high']:.4g}]"
    if v["unit"]:
        text += f" {v['unit']}"
    return text + (f" (n = {v['n']})" if v["n"] else "")
