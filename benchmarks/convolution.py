"""The course's NumPy convolution against torch's, and both against the rate of a large matrix product.

    python benchmarks/convolution.py [--rounds 9] [--threads 2] [--json FILE]

The peak is that of a 2048×2048 product in torch, in float32, on the same threads. A convolution's arithmetic is two
operations for each multiplication and addition.
"""

import argparse
import statistics
import sys

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from timing import peak, report, rows, save, take_turns

from course_utils.numpy_layers import conv2d

CASES = {  # batch, channels in, channels out, pixels a side, kernel
    "LeNet's second layer": (64, 6, 16, 14, 5),
    "3×3, 32 → 64 channels, 28 pixels": (64, 32, 64, 28, 3),
    "3×3, 64 → 64 channels, 56 pixels": (8, 64, 64, 56, 3),
    "1×1, 64 → 256 channels, 28 pixels": (16, 64, 256, 28, 1),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    best, table = peak(rounds=options.rounds), []
    for case, (n, c_in, c_out, side, kernel) in CASES.items():
        x, w = torch.rand(n, c_in, side, side), torch.rand(c_out, c_in, kernel, kernel)
        last = x.contiguous(memory_format=torch.channels_last)
        x_numpy, w_numpy = x.numpy(), w.numpy()
        ways = {
            "torch, channels_last": lambda x=last, w=w: F.conv2d(x, w),
            "torch, NCHW": lambda x=x, w=w: F.conv2d(x, w),
            "course, NumPy": lambda x=x_numpy, w=w_numpy: conv2d(x, w),
        }
        gap = np.abs(ways["course, NumPy"]() - ways["torch, NCHW"]().numpy()).max()
        assert gap < 1e-3 * c_in * kernel**2, f"the two convolutions differ by {gap}"  # noqa: S101
        operations = 2e-9 * n * c_out * (side - kernel + 1) ** 2 * c_in * kernel**2
        with threadpool_limits(options.threads):  # NumPy's product does not follow torch's setting
            seconds = take_turns(ways, options.rounds, repeat=20)
        for row in rows(case, seconds, "torch, channels_last"):
            table.append(row | {"share_of_peak": operations / row["value"] / best})
    title = f"Convolution, forward, {options.threads} threads"
    report(title, table)
    save(options.json, title, table, peak_gflops=best)
    print(f"peak {best:.0f} GFLOP/s; share of it: " + "; ".join(
        f"{row['case']}, {row['contender']} {row['share_of_peak']:.0%}" for row in table))  # fmt: skip
    ours = [row["ratio"] for row in table if row["contender"] == "course, NumPy"]
    print(f"NumPy needs {statistics.median(ours):.1f} × torch's time in the middle case")
    return 0


if __name__ == "__main__":
    sys.exit(main())
