"""Pictures per second of training lesson 09's net, setting by setting, against the device's measured peak.

    python benchmarks/throughput.py [--device auto] [--width 64] [--steps 50] [--rounds 5] [--no-compile] [--json FILE]

The peak is that of a large product of matrices, in the fastest precision that the device has instructions for. The
arithmetic of a step is what torch's own counter finds in its forward and backward pass. All contenders train the same net
on the same random pictures of 28×28, in the course's trainer, in turns: float32 in NCHW; channels_last; half precision with
it; and, each added to that alone, a fused optimizer, another loader, compilation. On CUDA the pictures lie on the device; one
contender has them brought by a ``DataLoader`` of two workers with pinned memory. ``torch.compile`` needs a C++ compiler on a
CPU, and Triton and a C compiler on CUDA; without, or with ``--no-compile``, it is left out. The first round, in which it
compiles and workers start, does not count.
"""

import argparse
import sys

import torch
import torch.nn.functional as F
from fashion_mnist import lesson_recipe
from timing import peak, report, rows, save, take_turns
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from course_utils import Trainer, runtime
from course_utils.loaders import TensorLoader
from course_utils.trainer import bf16_is_native, can_compile


def step_flops(net, images, targets) -> int:
    """Operations of a forward and backward pass over a batch, two for each multiplication and addition."""
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(net(images), targets).backward()
    return counter.get_total_flops()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--width", type=int, default=64, help="of the network")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=50, help="of a contender in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    device = runtime.start("benchmark_throughput", device=options.device).device
    half = {True: "bf16", False: "fp16" if device.type == "cuda" else None}[bf16_is_native(device)]
    dtypes = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
    side = 8192 if device.type == "cuda" else 2048
    peaks = {name: peak(device, dtypes[name], side, options.rounds) for name in ("float32", half) if name}
    best = max(peaks, key=peaks.get)

    count = options.steps * options.batch_size
    images = torch.randint(
        256, (count, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    targets = torch.arange(count) % 10
    net = lesson_recipe()["small_resnet"]
    resident = TensorLoader(images, targets, options.batch_size, shuffle=True)
    floats = TensorDataset(images.float() / 255, targets)

    def contender(precision="no", channels_last=True, fused=False, compiled=False, loader=resident):
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            net(options.width)
        )  # what is compiled lies inside: the trainer wraps the whole anew
        if compiled:
            model[0].compile()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=fused)
        trainer = Trainer(model, optimizer, precision=precision, channels_last=channels_last, device=device)
        return lambda: trainer.fit(loader, 1, progress=False)

    ways = {"float32, NCHW": contender(channels_last=False), "float32, channels_last": contender()}
    if half:
        ways[f"{half}, channels_last"] = contender(half)
    settings = {"precision": half or "no"}
    ways["the same, fused optimizer"] = contender(fused=True, **settings)
    if device.type == "cuda":
        workers = DataLoader(
            floats, options.batch_size, shuffle=True, num_workers=2, pin_memory=True, persistent_workers=True
        )
        ways["the same, DataLoader, pinned"] = contender(loader=workers, **settings)
    if options.compile and can_compile(device):
        ways["the same, compiled"] = contender(compiled=True, **settings)

    seconds = take_turns(ways, options.rounds)
    batch = images[: options.batch_size].float().to(device), targets[: options.batch_size].to(device)
    gflops = 1e-9 * options.steps * step_flops(net(options.width).to(device), *batch)
    table = []
    for row in rows(f"training, width {options.width}", seconds, "float32, NCHW"):
        share = gflops / row["value"] / peaks[best]
        table.append(row | {"value": count / row["value"], "unit": "pictures/s", "share_of_peak": share})
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{device}, {options.threads} threads"
    title = f"Pictures per second of training, {where}"
    report(title, table)
    save(options.json, title, table, peak_gflops=peaks, gflops_of_a_step=gflops / options.steps)
    print("peak: " + ", ".join(f"{name} {value:,.0f} GFLOP/s" for name, value in peaks.items()) + f"; share of {best}'s: "
          + "; ".join(f"{row['contender']} {row['share_of_peak']:.0%}" for row in table))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
