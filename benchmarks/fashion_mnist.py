"""Time to an aimed test accuracy on Fashion-MNIST: lesson 09's recipe against the recipe that most beginners write.

    python benchmarks/fashion_mnist.py [--aim 0.92] [--device auto] [--threads 2] [--limit 2400] [--json FILE]

On a GPU the aim is 0.94, and net and schedule are those of the lesson there (``SETTINGS``). Both train the same network from
the same pictures, with the same augmentation (flip, shift by up to two pixels; on a GPU also an erased square). The
course's recipe is the code of the cells that lesson 09 tags ``recipe``. The beginner's turns each picture into a PIL image,
transforms it alone, stacks batches of 64 in a ``DataLoader``, keeps NCHW and float32, and steps with Adam at a constant
learning rate. Only training counts as time; the test set is judged after each epoch with the clock stopped. The course's
schedule has a fixed length, ``--epochs``, so its time is that of the first epoch that reaches the aim. A recipe that does
not reach it within ``--limit`` seconds of training is reported with a lower bound. Where the real pictures cannot be had
it stops. One recipe runs after the other, each alone on the machine. The exit code is 1 where the course's recipe misses
the aim.
"""

import argparse
import json
import platform
import sys
import time

import nbformat
import torch
import torch.nn.functional as F
from torchvision.transforms import v2

from course_utils import Trainer, augment, load, notebooks, runtime
from course_utils.errors import DataError
from course_utils.loaders import TensorLoader
from course_utils.optim import cosine
from course_utils.paths import NOTEBOOKS
from course_utils.runner import machine
from course_utils.trainer import bf16_is_native

SETTINGS = {  # what --aim and the like are where they are not given
    "cpu": {"aim": 0.92, "epochs": 9, "width": 24, "erase": 0, "limit": 2400.0},
    "cuda": {"aim": 0.94, "epochs": 40, "width": 64, "erase": 8, "limit": 600.0},
}


def lesson_recipe() -> dict:
    """What the cells tagged ``recipe`` in lesson 09 define."""
    from functools import partial

    nb = nbformat.read(NOTEBOOKS / "09_training_in_practice.ipynb", as_version=4)
    names = {"torch": torch, "F": F, "nn": torch.nn, "partial": partial, "Trainer": Trainer, "cosine": cosine,
             "TensorLoader": TensorLoader, "bf16_is_native": bf16_is_native}  # fmt: skip
    for cell in notebooks.tagged(nb, "recipe"):
        exec(cell["source"], names)  # noqa: S102 - the course's own lesson
    return names


class PILPictures(torch.utils.data.Dataset):
    def __init__(self, data, mean, std, erase: int):
        self.data = data
        area = erase**2 / 28**2
        self.transform = v2.Compose(
            [
                v2.ToPILImage(),
                v2.RandomHorizontalFlip(),
                v2.RandomCrop(28, padding=2),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                *([v2.RandomErasing(0.5, (area, area), (1, 1))] if erase else []),
                v2.Normalize([mean], [std]),
            ]
        )

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, target = self.data[index]
        return self.transform(image), target


def course(parts, train, judged, options, device) -> list[tuple[float, float]]:
    """(seconds of training so far, test accuracy) after each epoch."""
    moves = [augment.flip(), augment.translate(2)] + ([augment.erase(options.erase)] if options.erase else [])
    chained = augment.chain(*moves)
    trainer, loader = parts["recipe"](train, options.width, chained, seed=options.seed, device=device)
    judged = judge_loader(judged, loader)
    rows = trainer.fit(loader, options.epochs, valid=judged, monitor="valid_accuracy", progress=False).rows
    spent = torch.tensor([row["seconds"] for row in rows], dtype=torch.float64).cumsum(0).tolist()
    return [(seconds, row["valid_accuracy"]) for seconds, row in zip(spent, rows, strict=True)]


def beginner(parts, train, judged, options, device) -> list[tuple[float, float]]:
    """The same for the common pattern, until the aim is reached or the limit passed."""
    torch.manual_seed(options.seed)
    pixels = train.images.float() / 255
    pictures = PILPictures(train, pixels.mean().item(), pixels.std().item(), options.erase)
    loader = torch.utils.data.DataLoader(pictures, 64, shuffle=True, num_workers=options.workers)
    net = parts["small_resnet"](options.width).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    judge = Trainer(net, optimizer, precision="no", channels_last=False, device=device)
    judged = TensorLoader(judged, mean=pixels.mean().item(), std=pixels.std().item())
    rows, spent = [], 0.0
    while spent < options.limit and not (rows and rows[-1][1] >= options.aim):
        started = time.perf_counter()
        net.train()
        for x, y in loader:
            loss = F.cross_entropy(net(x.to(device)), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()
        spent += time.perf_counter() - started
        rows.append((spent, judge.evaluate(judged)["accuracy"]))
    return rows


def table(results, options) -> list[dict]:
    """The form in which all benchmarks write their rows; a recipe that missed the aim has none."""
    fast, found = results["course"]["seconds_to_aim"], []
    for name, result in results.items():
        if fast and (seconds := result["seconds_to_aim"]):
            row = {
                "case": f"to {options.aim:g}, width {options.width}",
                "contender": name,
                "n": 1,
                "unit": "s",
            }
            ratio = {"ratio": seconds / fast, "ratio_low": None, "ratio_high": None, "to": "course"}
            found.append(row | {"value": seconds} | ratio)
    return found


def judge_loader(judged, loader) -> TensorLoader:
    return TensorLoader(judged, mean=loader.mean.view(-1), std=loader.std.view(-1))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--aim", type=float, help="test accuracy")
    parser.add_argument("--epochs", type=int, help="length of the course's schedule")
    parser.add_argument("--width", type=int, help="of the network, both recipes")
    parser.add_argument("--workers", type=int, default=0, help="of the beginner's DataLoader")
    parser.add_argument(
        "--erase", type=int, help="pixels a side of the square erased from half of the pictures, 0: none"
    )
    parser.add_argument("--limit", type=float, help="seconds of training for the beginner")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--data-source", default="real", help="embedded: the stand-in, to try the script")
    parser.add_argument("--pictures", type=int, help="train on the first so many only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="write every epoch to this file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    run = runtime.start("benchmark_fashion_mnist", device=options.device, seed=options.seed)
    for name, value in SETTINGS["cuda" if run.device.type == "cuda" else "cpu"].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    try:
        train, judged = (
            load("fashion_mnist", part, source=options.data_source) for part in ("train", "test")
        )
    except DataError as error:
        raise SystemExit(f"the aim is one for the real pictures: {error}") from None
    train = train.subset(range(min(len(train), options.pictures or len(train))))
    print(
        f"torch {torch.__version__}, {platform.machine()}, {run.device}, {options.threads} threads; {train.source}: "
        f"{len(train):,} pictures to train, {len(judged):,} to judge; aim {options.aim}"
    )
    parts, results = lesson_recipe(), {}
    for name, recipe in {"course": course, "beginner": beginner}.items():
        rows = recipe(parts, train, judged, options, run.device)
        reached = next((seconds for seconds, accuracy in rows if accuracy >= options.aim), None)
        results[name] = {"epochs": rows, "seconds_to_aim": reached}
        best = max(accuracy for _, accuracy in rows)
        outcome = f"{reached:.0f} s" if reached else f"not within {rows[-1][0]:.0f} s"
        print(f"{name:9} {outcome}; {len(rows)} epochs, best accuracy {best:.4f}", flush=True)
    fast, slow = results["course"]["seconds_to_aim"], results["beginner"]["seconds_to_aim"]
    bound = "" if slow else "more than "
    ratio = (slow or results["beginner"]["epochs"][-1][0]) / fast if fast else None
    print(
        f"the beginner's recipe needs {bound}{ratio:.1f} × the time"
        if fast
        else "the course's recipe MISSED the aim"
    )
    if options.json:
        document = {
            "data": train.source,
            "device": str(run.device),
            "options": {name: value for name, value in vars(options).items() if name != "json"},
            "title": f"Time to {options.aim:g} test accuracy on Fashion-MNIST",
            "machine": machine(),
            "versions": runtime.versions(),
            "ratio": ratio,
            "ratio_is_lower_bound": slow is None,
            "results": results,
            "rows": table(results, options),
        }
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main())
