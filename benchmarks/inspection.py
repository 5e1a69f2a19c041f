"""How long `course inspect` takes for a folder of pictures of a camera's size.

    python benchmarks/inspection.py [--pictures 10000] [--size 640x480] [--format jpg] [--json FILE]

The pictures are generated in a temporary folder, in ten class folders with two splits, each of its own colours and
grain; one in a hundred is a recompressed copy of another. Making them is not timed. Timed is the whole inspection with
its progress bar, and the report with pictures. The exit code is 1 where the aim is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from timing import save

from course_utils.inspection import inspect_folder, page


def make(root: Path, n: int, size: tuple[int, int], ending: str) -> None:
    """Write ``n`` pictures below ``root``."""
    grain = np.random.default_rng(0).integers(-9, 10, (size[1] + 64, size[0] + 64, 1), np.int16)

    def write(i: int) -> None:
        random = np.random.default_rng(i - 1 if i % 100 == 99 else i)
        rough = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8))
        pixels = np.asarray(rough.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
        y, x = random.integers(0, 64, 2)
        pixels += grain[y : y + size[1], x : x + size[0]]
        path = root / ("test" if i % 5 == 4 else "train") / f"class{i // 5 % 10}" / f"{i:06}.{ending}"
        options = {"quality": 70 if i % 100 == 99 else 90} if ending == "jpg" else {}
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, **options)

    for split in ("train", "test"):
        for k in range(10):
            (root / split / f"class{k}").mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(n)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--size", default="640x480", help="width x height in pixels")
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg")
    parser.add_argument("--aim", type=float, default=120.0, help="seconds for 10,000 pictures on two cores")
    parser.add_argument("--json", help="write the times to this file")
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, options.pictures, (width, height), options.format)
        began, worked = time.perf_counter(), time.process_time()
        report = inspect_folder(root, "classification")
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
        page.html(report)
        page_seconds = time.perf_counter() - began - seconds
    near = sum(len(f.places) for code in ("near", "near-across") if (f := report.found(code)))
    aim = options.aim * options.pictures / 10_000
    result = {
        "pictures": options.pictures,
        "size": [width, height],
        "format": options.format,
        "seconds": seconds,
        "processor_seconds": processor,
        "page_seconds": page_seconds,
        "pictures_per_second": options.pictures / seconds,
        "near_duplicates_found": near,
        "cores": os.cpu_count(),
        "pillow": PIL.__version__,
    }
    print(
        f"{options.pictures:,} pictures of {width}×{height} ({options.format}), {os.cpu_count()} cores, Pillow {PIL.__version__}: "
        f"{seconds:.1f} s ({processor:.1f} s of processor time), {options.pictures / seconds:.0f} pictures/s, the page {page_seconds:.1f} s more; "
        f"{near} of {options.pictures // 100 * 2} near duplicates found; aim {aim:g} s "
        + ("met" if seconds <= aim else "MISSED")
    )
    if options.json:
        row = {
            "case": f"{options.pictures:,} pictures of {options.size}",
            "contender": "course inspect",
            "n": 1,
        }
        row |= {"value": seconds, "unit": "s", "ratio": None}
        save(options.json, "Inspection of a folder", [row], **result)
    return 1 if seconds > aim else 0


if __name__ == "__main__":
    sys.exit(main())
