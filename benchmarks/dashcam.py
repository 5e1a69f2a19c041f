"""Frames a second of the dash-cam generator on one core, for each weather and time of day.

    python benchmarks/dashcam.py [--frames 60] [--rows 180] [--aim 20]

Processor time, one OpenCV thread: what others compute beside it does not count. Each number is the median over the frames of 1 / seconds, and
the quartiles beside it. The exit code is 1 where sun by day, the pictures that lesson 18 trains on, misses the aim.
"""

import argparse
import platform
import statistics
import sys
import time

import cv2
import numpy as np
from timing import save

from course_utils.synthetic.dashcam import drive

SCENES = (
    ("sun", "day"),
    ("overcast", "day"),
    ("fog", "day"),
    ("rain", "day"),
    ("sun", "dusk"),
    ("sun", "night"),
    ("rain", "night"),
)


def rates(frames: int, rows: int, **conditions) -> list[float]:
    """Frames a second, frame by frame, over three drives; the first frame of each, which builds the world, is left out."""
    found = []
    for seed in range(3):
        clip = drive(seed, frames // 3 + 1, (rows, rows * 4 // 3), **conditions)
        next(clip)
        while True:
            start = time.process_time()
            if next(clip, None) is None:
                break
            found.append(1 / (time.process_time() - start))
    return found


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rows", type=int, default=180)
    parser.add_argument("--aim", type=float, default=20.0)
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    print(
        f"numpy {np.__version__}, OpenCV {cv2.__version__}, {platform.machine()}, one thread, processor time"
    )
    reached, table = None, []
    for weather, time_of_day in SCENES:
        found = rates(options.frames, options.rows, weather=weather, time_of_day=time_of_day)
        low, middle, high = statistics.quantiles(found, n=4)
        reached = middle if reached is None else reached
        row = {
            "case": f"{weather}, {time_of_day}",
            "contender": f"{options.rows * 4 // 3}×{options.rows}",
            "n": len(found),
        }
        table.append(row | {"value": middle, "unit": "frames/s", "low": low, "high": high, "ratio": None})
        print(
            f"{options.rows * 4 // 3}×{options.rows} {weather:8} {time_of_day:5} {middle:5.1f} frames/s "
            f"(half of {len(found)} frames within {low:.1f} to {high:.1f})"
        )
    print(f"aim {options.aim:g} frames/s by day in the sun: {'met' if reached >= options.aim else 'MISSED'}")
    save(options.json, "Frames of the dash-cam generator, one core", table, aim=options.aim)
    return int(reached < options.aim)


if __name__ == "__main__":
    sys.exit(main())
