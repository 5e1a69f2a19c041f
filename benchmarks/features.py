"""Ten epochs of a linear classifier on a frozen EfficientNet-Lite0: features computed once, or again in every epoch.

    python benchmarks/features.py [--rounds 3] [--pictures 512] [--size 96] [--epochs 10] [--json FILE]

The pictures are the ELPV solar cells of lesson 11. Both ways see the same batches in the same order and end with the same
weights, or the benchmark stops.
"""

import argparse
import sys

import torch
import torch.nn.functional as F
from timing import report, rows, save, take_turns

from course_utils import backbone, load


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--size", type=int, default=96, help="pixels a side")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    data = load("elpv", size=options.size)
    images, targets = data.images[: options.pictures], data.targets[: options.pictures]
    net = (
        backbone("efficientnet_lite0", num_classes=0, in_chans=1).eval().to(memory_format=torch.channels_last)
    )

    @torch.inference_mode()
    def features(part):
        return net(((part.float() / 255 - 0.5) / 0.5).contiguous(memory_format=torch.channels_last))

    def learn(of):
        head = torch.nn.Linear(1280, 2)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        optimizer = torch.optim.SGD(head.parameters(), lr=0.01)
        for epoch in range(options.epochs):
            order = torch.randperm(len(images), generator=torch.Generator().manual_seed(epoch))
            for part in order.split(64):
                optimizer.zero_grad()
                F.cross_entropy(head(of(part)), targets[part]).backward()
                optimizer.step()
        return head.weight.detach()

    def cached():
        stored = torch.cat([features(part) for part in images.split(64)]).clone()
        return learn(lambda part: stored[part])

    def again():
        return learn(lambda part: features(images[part]).clone())

    weights = cached()
    gap = ((weights - again()).abs().max() / weights.abs().max()).item()
    if not gap < 1e-4:
        raise SystemExit(f"the weights of the two ways differ by {gap:.2g} of the largest")
    seconds = take_turns({"features cached": cached, "features in each epoch": again}, options.rounds)
    case = f"{len(images)} cells of {options.size} pixels, {options.epochs} epochs"
    table = rows(case, seconds, "features cached")
    report("Feature caching", table)
    save(options.json, "Feature caching", table, data=data.source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
