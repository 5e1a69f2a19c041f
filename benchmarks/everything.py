"""Run every benchmark, one after the other, and write results/benchmarks.json and results/BENCHMARKS.md.

    python benchmarks/everything.py [NAME ...]      (make bench)

A benchmark that is not named keeps its last numbers. Its own exit code, 1 for a missed aim, is stored beside them. Nothing
else should compute on the machine meanwhile; all of them together take twenty minutes to an hour on two cores.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from course_utils.paths import RESULTS, ROOT

NAMES = (
    "convolution",
    "detection",
    "augmentation",
    "features",
    "shards",
    "trainer",
    "throughput",
    "dashcam",
    "inspection",
    "lessons",
    "fashion_mnist",
)
STORE = RESULTS / "benchmarks.json"


def measure(name: str) -> dict | None:
    """What a benchmark wrote, with its exit code; nothing where it could not run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        done = subprocess.run([sys.executable, ROOT / "benchmarks" / f"{name}.py", "--json", file], cwd=ROOT)
        if not file.exists():
            print(
                f"{name} wrote no numbers (exit code {done.returncode}); its last ones stay", file=sys.stderr
            )
            return None
        return json.loads(file.read_text(encoding="utf-8")) | {"exit_code": done.returncode}


HEAD = """# Benchmarks

Made by `make bench`. Times are medians; a ratio is the median over the rounds of a time divided by the reference's in the
same round, with the quartiles over the rounds (of three rounds, the smallest and the largest). Where they lie on both sides of 1,
no difference was found, and the medians may even point the other way. A row with n = 1 is one run and has no spread.
In the figure it is hollow; squares are rows in which the course is the reference.

![Ratio of each contender to its reference, with quartiles, on a logarithmic axis](benchmarks.png)
"""


ABOUT = {
    "augmentation": "The course changes a whole batch at once, with torch's default threads; the others change one picture at a time in "
    "the main process, as their documentation shows. Worker processes would help them, and the ratio holds for small pictures.",
    "trainer": "*busy*: a net that fills the cores; *tiny*: one where the overhead of a step shows.",
    "fashion_mnist": "One run each, one seed. *beginner* is PIL pictures one by one without worker processes, batches of 64, float32, "
    "NCHW and Adam at a constant rate; *course* is lesson 09's recipe, its number of epochs chosen for this aim. So the ratio is of "
    "all these differences together. The test set says when the aim is reached.",
}


def page(stored: dict[str, dict]) -> str:
    """The table of all benchmarks in Markdown, with the plot above it."""
    lines = [HEAD]
    for name, result in stored.items():
        missed = ", **aim missed**" if result["exit_code"] else ""
        about = f"{result['machine']}, torch {result['versions']['torch']}{missed}"
        lines += [f"## {result['title']}", "", f"`python benchmarks/{name}.py`: {about}", ""]
        lines += [ABOUT[name], ""] if name in ABOUT else []
        lines += ["| case | contender | n | median | ratio |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(cells(row))} |" for row in result["rows"]] + [""]
    return "\n".join(lines)


def cells(row: dict) -> list[str]:
    """What stands in the columns of a row."""
    ratio = ""
    if row.get("ratio") is not None:
        ratio = f"{row['ratio']:.3g} × {row['to']}"
        ratio += f" [{row['ratio_low']:.3g}, {row['ratio_high']:.3g}]" if row.get("ratio_low") else ""
    value = f"{row['value']:.4g} {row['unit']}"
    value += (
        f", {row['share_of_peak']:.0%} of the rate of a large matrix product"
        if "share_of_peak" in row
        else ""
    )
    return [row["case"], row["contender"], str(row["n"]), value, ratio]


def plot(stored: dict[str, dict], file: Path) -> None:
    """All ratios to a reference on one logarithmic axis; squares where the course is the reference, hollow where n is 1."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    from course_utils.plots import COLOURS

    rows = [
        r
        for result in stored.values()
        for r in result["rows"]
        if r.get("ratio") and r["contender"] != r["to"]
    ]
    figure, ax = plt.subplots(figsize=(9, 1.2 + 0.3 * len(rows)), layout="constrained")
    for y, row in enumerate(reversed(rows)):
        low, high = row.get("ratio_low") or row["ratio"], row.get("ratio_high") or row["ratio"]
        marker, colour = ("s", COLOURS[1]) if row["to"] == "course" else ("o", COLOURS[0])
        ax.plot([low, high], [y, y], "-", color=colour, linewidth=2)
        ax.plot(row["ratio"], y, marker, color=colour, markerfacecolor="white" if row["n"] == 1 else colour)
    ax.axvline(1, color="grey", linestyle=":")
    ax.set_yticks(
        range(len(rows)), [f"{r['case']}: {r['contender']} / {r['to']}" for r in reversed(rows)], fontsize=8
    )
    ax.set(
        xscale="log",
        xlabel="time of the first named divided by the second's\n(left of 1: the first is faster)",
    )
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ax.margins(y=0.02)
    figure.savefig(file, dpi=110)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without one")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}. Valid: {', '.join(NAMES)}")
    stored = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    for name in options.names or NAMES:
        if (result := measure(name)) is not None:
            stored[name] = result
            STORE.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    stored = {name: stored[name] for name in NAMES if name in stored}
    plot(stored, RESULTS / "benchmarks.png")
    (RESULTS / "BENCHMARKS.md").write_text(page(stored), encoding="utf-8")
    return int(any(result["exit_code"] for result in stored.values()))


if __name__ == "__main__":
    sys.exit(main())
