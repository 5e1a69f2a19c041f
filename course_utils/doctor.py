"""``course doctor``: what this machine offers, and what would stop a lesson."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator

from course_utils.runner import machine
from course_utils.runtime import cache_dir, mirror, versions, without_login


def findings() -> Iterator[tuple[str, bool, str]]:
    """Yield ``(name, ok, text)`` for each thing looked at; ``ok`` is false where a lesson would fail."""
    yield (
        "python",
        (3, 11) <= sys.version_info[:2] <= (3, 13),
        f"{platform.python_version()} (the course runs on 3.11 to 3.13)",
    )
    yield "machine", True, machine()
    yield "versions", True, ", ".join(f"{k} {v}" for k, v in versions().items() if k != "python")
    torch = _torch()
    yield torch
    if torch[1]:
        yield "matmul", True, f"{gemm_gflops():.0f} GFLOP/s in float32"
    yield _cache()
    yield "mirror", True, without_login(mirror() or "none (COURSE_MIRROR is not set)")
    free = shutil.disk_usage(".").free / 1e9
    yield "disk", free > 1, f"{free:.0f} GB free here"


def gemm_gflops(size: int = 1024, repeats: int = 5) -> float:
    """The best rate of a float32 matrix product of ``size × size`` on the CPU, in 10⁹ operations a second."""
    import torch

    a = torch.rand(size, size)
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best / 1e9


def _torch() -> tuple[str, bool, str]:
    try:
        import torch
        import torchvision.ops

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except Exception as error:  # whatever stops torch from working is the finding
        return (
            "torch",
            False,
            f"{type(error).__name__}: {error}. Install torch and torchvision from the same source.",
        )
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("Apple MPS")
    return "torch", True, f"{torch.get_num_threads()} threads; accelerators: {', '.join(devices) or 'none'}"


def _cache() -> tuple[str, bool, str]:
    folder = cache_dir()
    existing = next(p for p in [folder, *folder.parents] if p.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return "cache", True, f"{folder} (change it with COURSE_CACHE)"
    return "cache", False, f"{folder} cannot be written. Set COURSE_CACHE to a folder of your own."
