"""Maps from changed pictures: occlusion and RISE, which need no gradient. Signature: see :mod:`course_utils.explain`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.errors import CourseError
from course_utils.explain.common import chances_of, classes_for, on_device, whole_number
from course_utils.meter import eval_mode


def occlusion(
    model: nn.Module,
    images: Tensor,
    targets=None,
    *,
    window: int | None = None,
    stride: int | None = None,
    fill: float = 0.0,
    batch_size: int = 16,
) -> Tensor:
    """How much probability the class loses when a square is covered: the mean over all squares on a pixel, with sign.

    ``window`` and ``stride`` in pixels: by default an eighth of the smaller side and half of that. ``fill``: what
    covers, in the model's units. Raises :class:`CourseError` for a window that does not fit and for a stride that leaves
    gaps between the squares. Zeiler and Fergus, 2014.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 9]]))
    >>> occlusion(model, torch.ones(1, 1, 2, 2), [1], window=1, stride=1).round(decimals=2).tolist()
    [[[0.0, 0.0], [0.0, 0.5]]]
    """
    images = on_device(model, images)
    height, width = images.shape[2:]
    window = max(1, min(height, width) // 8) if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    whole_number(window, 1, "window")
    whole_number(stride, 1, "stride")
    if window > min(height, width):
        raise CourseError(f"window is {window}. Valid: up to {min(height, width)}, the images' smaller side.")
    if stride > window:
        raise CourseError(
            f"stride is {stride}. Valid: up to {window}, the window, so that every pixel is covered."
        )
    squares = [
        (top, left) for top in _starts(height, window, stride) for left in _starts(width, window, stride)
    ]

    def covers():
        for start in range(0, len(squares), batch_size):
            part = squares[start : start + batch_size]
            cover = torch.zeros(len(part), 1, height, width, device=images.device)
            for one, (top, left) in zip(cover, part, strict=True):
                one[:, top : top + window, left : left + window] = 1
            yield cover

    with eval_mode(model), torch.no_grad():
        whole, targets = _whole(model, images, targets)
        return _spread(
            (whole[:, None] - _masked(model, images, 1 - cover, targets, fill), cover) for cover in covers()
        )


def rise(
    model: nn.Module,
    images: Tensor,
    targets=None,
    *,
    samples: int = 256,
    cells: int = 7,
    keep: float = 0.5,
    fill: float = 0.0,
    seed: int = 0,
    batch_size: int = 16,
) -> Tensor:
    """The mean probability of the class over random masks that show a pixel, from 0 to 1.

    A mask is a grid of ``cells`` × ``cells``, each shown with probability ``keep``, made smooth and shifted at random;
    all images get the same masks. Petsiuk, Das and Saenko, 2018 (who divide by the expected count; here it is counted).
    """
    whole_number(samples, 1, "samples")
    whole_number(cells, 2, "cells")
    if not 0 < keep < 1:
        raise CourseError(f"keep is {keep!r}. Valid: a probability between 0 and 1, such as 0.5.")
    images = on_device(model, images)
    masks = _smooth_masks(samples, cells, keep, images.shape[2:], seed).to(images.device)
    with eval_mode(model), torch.no_grad():
        targets = _whole(model, images, targets)[1]
        return _spread(
            (_masked(model, images, part, targets, fill), part) for part in masks.split(batch_size)
        )


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin, so that the last one ends at the border."""
    return sorted({*range(0, length - window + 1, stride), length - window})


def _smooth_masks(samples: int, cells: int, keep: float, size, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    grid = (torch.rand(samples, 1, cells + 1, cells + 1, generator=generator) < keep).float()
    step = [-(-length // cells) for length in size]
    masks = F.interpolate(grid, tuple((cells + 1) * s for s in step), mode="bilinear", align_corners=False)
    shifts = torch.rand(samples, 2, generator=generator)
    cut = []
    for mask, (down, across) in zip(masks, shifts.tolist(), strict=True):
        top, left = int(down * step[0]), int(across * step[1])
        cut.append(mask[:, top : top + size[0], left : left + size[1]])
    return torch.stack(cut)


def _whole(model, images, targets) -> tuple[Tensor, Tensor]:
    chances = chances_of(model, images)
    targets = classes_for(chances, targets)
    return chances.gather(1, targets[:, None])[:, 0], targets


def _masked(model, images, masks, targets, fill) -> Tensor:
    """Probability of its class for each image under each mask, ``(N, M)``."""
    return torch.stack(
        [
            chances_of(model, _covered(image, masks, fill))[:, target]
            for image, target in zip(images, targets, strict=True)
        ]
    )


def _covered(image: Tensor, masks: Tensor, fill: float) -> Tensor:
    return (fill + (image[None] - fill) * masks).contiguous(memory_format=torch.channels_last)


def _spread(parts) -> Tensor:
    """The mean of values ``(N, M)`` over the masks ``(M, 1, H, W)`` that touch a pixel, weighted by them: ``(N, H, W)``.

    ``parts``: pairs of values and masks; their masks come one part at a time, since all of them may fill the memory.
    """
    total = weight = 0
    for values, masks in parts:
        total = total + torch.einsum("nm,mhw->nhw", values, masks[:, 0])
        weight = weight + masks[:, 0].sum(dim=0)
    return (total / weight.clamp_min(1e-6)).cpu()
