"""What the training scripts of the clinic are made of: pictures, a split, batches, two small nets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(eq=False, repr=False)
class Pictures:
    """Pictures with their classes: ``images`` (N, C, H, W) uint8, ``targets`` (N,) int64, ``classes`` names.

    >>> few = Pictures(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]), ("a", "b"))
    >>> len(few), len(few.take([0, 2]))
    (4, 2)
    """

    images: torch.Tensor
    targets: torch.Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"<{len(self):,} pictures>"

    def take(self, rows) -> Pictures:
        """The pictures at ``rows`` (integers or a boolean mask)."""
        rows = torch.as_tensor(rows)
        return Pictures(self.images[rows], self.targets[rows], self.classes)


def split(images, targets, part: float = 0.25):
    """Shuffle and hold out a part for validation: ``(x, y, x_valid, y_valid)``.

    >>> [len(t) for t in split(torch.zeros(8, 1, 2, 2), torch.zeros(8))]
    [6, 6, 2, 2]
    """
    order = torch.randperm(len(images))
    valid, train = order[: int(part * len(order))], order[int(part * len(order)) :]
    return images[train], targets[train], images[valid], targets[valid]


def batches(images, targets, size: int = 64):
    """The batches ``(x, y)`` of one epoch, in a new random order; a last one that is not full is left out.

    >>> [len(y) for x, y in batches(torch.zeros(7, 1, 2, 2), torch.zeros(7), size=3)]
    [3, 3]
    """
    for rows in torch.randperm(len(images)).split(size):
        if len(rows) == size:
            yield images[rows], targets[rows]


def relit(images):
    """Each picture under another light: pixel values times a factor between 0.5 and 1, ``(N, C, H, W) uint8``.

    >>> relit(torch.full((2, 1, 4, 4), 200, dtype=torch.uint8)).shape
    torch.Size([2, 1, 4, 4])
    """
    light = 0.5 + 0.5 * torch.rand(len(images), 1, 1, 1)
    return (images * light).round().to(torch.uint8)


def small_net(classes: int = 10, width: int = 16) -> nn.Sequential:
    """Three convolutions with batch normalisation, the mean over the map, and a linear head.

    >>> small_net()(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    net = nn.Sequential(
        *_block(1, width), *_block(width, 2 * width), nn.MaxPool2d(2), *_block(2 * width, 2 * width),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, classes),
    )  # fmt: skip
    return net.to(memory_format=torch.channels_last)


def plain_net(classes: int = 10, width: int = 16, depth: int = 6) -> nn.Sequential:
    """``depth`` convolutions without normalisation, He's first weights (lesson 07), one pooling, a linear head.

    >>> plain_net()(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    layers = []
    for k in range(depth):
        layers += [nn.Conv2d(width if k else 1, width, 3, padding=1), nn.ReLU()]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        nn.init.zeros_(layers[-2].bias)
        layers += [nn.MaxPool2d(2)] if k == 1 else []
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, classes))
    return net.to(memory_format=torch.channels_last)


def _block(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
