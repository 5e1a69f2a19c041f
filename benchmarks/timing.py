"""What every benchmark shares: contenders that take turns, ratios to a reference, one table, one form of JSON.

Contenders run one after the other in an order that rotates each round, so a machine that slows down slows all of them
down. A ratio is the median over the rounds of a contender's time divided by the reference's in the same round.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from course_utils import runtime
from course_utils.runner import machine


def take_turns(
    contenders: dict[str, Callable[[], object]],
    rounds: int,
    repeat: int = 1,
    before: Callable[[str], object] | None = None,
) -> dict[str, list[float]]:
    """Seconds of a call of every contender in every round, the mean of ``repeat`` calls; a first round warms up and is left out.

    ``before(name)``, if given, is called before the clock starts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for round_ in range(rounds + 1):
        for name in order:
            if before is not None:
                before(name)
            began = time.perf_counter()
            for _ in range(repeat):
                contenders[name]()
            if round_:
                seconds[name].append((time.perf_counter() - began) / repeat)
        order = order[1:] + order[:1]
    return seconds


def peak(device="cpu", dtype=None, side: int = 2048, rounds: int = 9) -> float:
    """GFLOP/s of a square product of matrices at its best: a rate that few layers reach, and small convolutions may pass."""
    import torch

    a, b = torch.rand(2, side, side, device=device).to(dtype or torch.float32)
    seconds = take_turns({"product": lambda: finished(a @ b)}, rounds, repeat=3)["product"]
    return 2e-9 * side**3 / min(seconds)


def finished(result):
    """``result``, once the device has computed it."""
    if result.device.type != "cpu":
        import torch

        torch.accelerator.synchronize(result.device)
    return result


def rows(case: str, seconds: dict[str, list[float]], reference: str, unit: str = "s") -> list[dict]:
    """One row for each contender: median seconds, and its ratio to the reference with the quartiles over the rounds."""
    found = []
    for name, times in seconds.items():
        pairs = [a / b for a, b in zip(times, seconds[reference], strict=True)]
        low, _, high = statistics.quantiles(pairs, n=4) if len(pairs) > 1 else (pairs[0],) * 3
        row = {
            "case": case,
            "contender": name,
            "n": len(times),
            "value": statistics.median(times),
            "unit": unit,
        }
        found.append(
            row | {"ratio": statistics.median(pairs), "ratio_low": low, "ratio_high": high, "to": reference}
        )
    return found


def report(title: str, table: list[dict]) -> None:
    """Print the table with machine and versions."""
    versions = runtime.versions()
    print(f"{title}. {machine()}, torch {versions['torch']}, numpy {versions['numpy']}")
    for row in table:
        ratio = ""
        if row.get("ratio") is not None:
            spread = f"half of {row['n']} rounds within {row['ratio_low']:.3f} to {row['ratio_high']:.3f}"
            ratio = f"  {row['ratio']:8.3f} × {row['to']} ({spread})"
        print(f"  {row['case']:36} {row['contender']:26} {row['value']:10.4g} {row['unit']}{ratio}")


def save(file: str | None, title: str, table: list[dict], **about) -> None:
    """Write the table with machine and versions as JSON, if a file is named."""
    if file:
        document = {
            "title": title,
            "rows": table,
            "machine": machine(),
            "versions": runtime.versions(),
            **about,
        }
        Path(file).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
