"""One epoch of the same net on the same batches: a bare PyTorch loop, the course's trainer, Lightning and fastai.

    pip install -e ".[bench]"
    python benchmarks/trainer.py [--rounds 75] [--threads 2] [--json FILE]

All four run in one process, one after the other in an order that rotates each round, each with its progress bar on,
all on channels_last weights. A contender's number is the median over the rounds of its time divided by the bare
loop's in the same round, from asking for the first batch to the end of the last optimizer step. The last line says all ratios; the exit code is 1 where the aim is missed and 2 where a framework is missing.
"""

import argparse
import contextlib
import copy
import os
import platform
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from timing import rows, save
from torch import nn

from course_utils import progress
from course_utils.loaders import TensorLoader
from course_utils.trainer import Trainer

AIMS = {"busy": 1.03, "tiny": 1.06}
BATCHES = {"busy": 8, "tiny": 24}
BATCH_SIZE = {"busy": 128, "tiny": 512}


def conv(a: int, b: int) -> list[nn.Module]:
    return [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]


def nets() -> dict[str, nn.Module]:
    """Two nets for 28×28 images: one that keeps the cores busy, one where the overhead of a step shows."""
    torch.manual_seed(0)
    busy = nn.Sequential(*conv(1, 32), *conv(32, 64), nn.Flatten(), nn.Linear(64 * 49, 10))
    tiny = nn.Sequential(nn.AvgPool2d(2), *conv(1, 8), nn.Flatten(), nn.Linear(8 * 49, 10))
    return {"busy": busy, "tiny": tiny}


def data(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return torch.rand(n, 1, 28, 28, generator=g), torch.randint(0, 10, (n,), generator=g)


class Clock(TensorLoader):
    """A loader that times the epoch for all four alike: from asking for the first batch to the last optimizer step."""

    device = torch.device("cpu")
    now = staticmethod(time.perf_counter)

    def batches(self, epoch, start=0):
        self.started = self.now()
        yield from super().batches(epoch, start)

    def stepped(self, *_):
        self.seconds = self.now() - self.started


def fresh(net: nn.Module, clock: Clock):
    model = copy.deepcopy(net).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    optimizer.register_step_post_hook(clock.stepped)
    return model, optimizer


def bare(net, loader) -> None:
    model, optimizer = fresh(net, loader)
    model.train()
    total = 0.0
    for X, y in loader:
        X = X.contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()


def course(net, loader) -> None:
    model, optimizer = fresh(net, loader)
    Trainer(model, optimizer, device="cpu").fit(loader, epochs=1)


def lightning(net, loader) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model, self.optimizer = fresh(net, loader)

        def training_step(self, batch, index):
            X, y = batch
            loss = F.cross_entropy(self.model(X.contiguous(memory_format=torch.channels_last)), y)
            self.log("loss", loss, prog_bar=True)
            return loss

        def configure_optimizers(self):
            return self.optimizer

    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
    )
    trainer.fit(Module(), loader)


def fastai(net, loader) -> None:
    from fastai.learner import Callback, Learner
    from fastai.optimizer import OptimWrapper

    class ChannelsLast(Callback):
        def before_batch(self):
            self.learn.xb = (self.xb[0].contiguous(memory_format=torch.channels_last),)

    from fastai.callback import progress as _  # noqa: F401 - adds the bar
    from fastai.data.core import DataLoaders

    model, optimizer = fresh(net, loader)
    learner = Learner(
        DataLoaders(loader, []),
        model,
        loss_func=F.cross_entropy,
        opt_func=lambda params, **kwargs: OptimWrapper(opt=optimizer),
        cbs=[ChannelsLast()],
        train_bn=True,
    )
    learner.fit(1, lr=0.01)


CONTENDERS = {"bare": bare, "course": course, "lightning": lightning, "fastai": fastai}


def measure(name: str, net: nn.Module, rounds: int) -> dict[str, list[float]]:
    """Seconds of every contender in every round; the first round warms up and is left out."""
    loader = Clock(*data(BATCHES[name] * BATCH_SIZE[name]), batch_size=BATCH_SIZE[name])
    seconds: dict[str, list[float]] = {c: [] for c in CONTENDERS}
    order = list(CONTENDERS)
    for round_ in range(rounds + 1):
        for contender in order:
            with quiet():
                CONTENDERS[contender](net, loader)
            if round_:
                seconds[contender].append(loader.seconds)
        order = order[1:] + order[:1]
    return seconds


@contextlib.contextmanager
def quiet():
    """Send what the bars draw to nowhere; they draw all the same."""
    with open(os.devnull, "w") as nowhere:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=75)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="processor time: use it with --threads 1 where others compute too",
    )
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.cpu_time:
        Clock.now = staticmethod(time.process_time)
    progress._mode = lambda: "bar"  # as in a terminal, whatever this process writes to
    try:
        import fastai as fastai_package
        import lightning as lightning_package
    except ImportError as error:
        print(f'{error.name} is not installed. Install both frameworks: pip install -e ".[bench]"')
        return 2
    quiet_frameworks()
    print(
        f"torch {torch.__version__}, lightning {lightning_package.__version__}, fastai {fastai_package.__version__}, "
        f"{platform.machine()}, {options.threads} threads, "
        f"{'processor' if options.cpu_time else 'wall'} time, {options.rounds} rounds"
    )
    ratios, times = {}, {}
    for name, net in nets().items():
        times[name] = measure(name, net, options.rounds)
        for contender, seconds in times[name].items():
            pairs = [a / b for a, b in zip(seconds, times[name]["bare"], strict=True)]
            ratios[name, contender] = statistics.median(pairs)
            low, _, high = statistics.quantiles(pairs, n=4)
            print(
                f"{name:5} {contender:9} {min(seconds):7.3f} s at best, {ratios[name, contender]:6.3f} of the bare loop "
                f"(half of the rounds within {low:.3f} to {high:.3f}; ratio of the best times "
                f"{min(seconds) / min(times[name]['bare']):.3f})"
            )
    table = [row for name in times for row in rows(name, times[name], "bare")]
    save(options.json, f"One epoch of training, {options.threads} threads", table)
    missed = [
        name
        for name, aim in AIMS.items()
        if ratios[name, "course"] > aim
        or ratios[name, "course"] >= min(ratios[name, "lightning"], ratios[name, "fastai"])
    ]
    print(
        "; ".join(
            f"{name}: " + ", ".join(f"{c} {ratios[name, c]:.3f}" for c in CONTENDERS if c != "bare")
            for name in AIMS
        )
        + f" (aims: {', '.join(f'{n} {a}' for n, a in AIMS.items())}, ahead of both) "
        + (f"MISSED on {' and '.join(missed)}" if missed else "met")
    )
    return 1 if missed else 0


def quiet_frameworks() -> None:
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
