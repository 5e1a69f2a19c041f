"""Pictures augmented in a second: whole batches in memory, against one picture at a time through a DataLoader.

    python benchmarks/augmentation.py [--rounds 7] [--pictures 4096] [--size 32] [--workers 0] [--json FILE]

Flip, shift by up to two pixels, brightness and contrast, normalisation, and a batch of 128 in the end: the course's
``TensorLoader``, torchvision's v2 transforms and albumentations, the latter two in a ``Dataset`` behind a ``DataLoader``,
as their own documentation shows. Every contender starts from the same bytes and ends at the last normalised batch.
"""

import argparse
import sys

import numpy as np
import torch
from timing import report, rows, save, take_turns

from course_utils import augment
from course_utils.loaders import TensorLoader


class OneByOne(torch.utils.data.Dataset):
    """Pictures that a transform turns into tensors one at a time."""

    def __init__(self, pictures, transform):
        self.pictures, self.transform = pictures, transform

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.transform(self.pictures[index])


def contenders(pictures: torch.Tensor, workers: int) -> dict:
    """The three ways as functions that run one epoch; ``pictures``: (N, 3, S, S) uint8."""
    import albumentations as A
    from albumentations.pytorch import ToTensorV2
    from torchvision.transforms import v2

    size = pictures.shape[-1]
    ours = augment.chain(augment.flip(), augment.translate(2), augment.brightness_contrast(0.2, 0.2))
    batched = TensorLoader(
        pictures,
        torch.zeros(len(pictures), dtype=torch.long),
        128,
        shuffle=True,
        augment=ours,
        mean=0.5,
        std=0.25,
    )
    theirs = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(size, padding=2),
            v2.ColorJitter(0.2, 0.2),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    arrays = pictures.permute(0, 2, 3, 1).contiguous().numpy()
    steps = [
        A.HorizontalFlip(p=0.5),
        A.PadIfNeeded(size + 4, size + 4, border_mode=0),
        A.RandomCrop(size, size),
        A.RandomBrightnessContrast(0.2, 0.2, p=1.0),
        A.Normalize([0.5] * 3, [0.25] * 3),
        ToTensorV2(),
    ]
    pipeline = A.Compose(steps, seed=0)
    sets = {
        "torchvision v2": OneByOne(pictures, theirs),
        "albumentations": OneByOne(arrays, lambda picture: pipeline(image=picture)["image"]),
    }
    loaders = {"course": batched} | {
        name: torch.utils.data.DataLoader(data, 128, shuffle=True, num_workers=workers)
        for name, data in sets.items()
    }
    return {name: lambda loader=loader: sum(1 for _ in loader) for name, loader in loaders.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=4096)
    parser.add_argument("--size", type=int, default=32, help="pixels a side")
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoaders")
    parser.add_argument("--json", help="write the table to this file")
    options = parser.parse_args(arguments)
    bytes_ = np.random.default_rng(0).integers(
        0, 256, (options.pictures, 3, options.size, options.size), np.uint8
    )
    seconds = take_turns(contenders(torch.from_numpy(bytes_), options.workers), options.rounds)
    case = f"{options.pictures} pictures of {options.size}×{options.size}, {options.workers} workers"
    table = rows(case, seconds, "course")
    report("Augmentation, one epoch", table)
    save(options.json, "Augmentation, one epoch", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
