"""Where an anchor-free detector looks from, and which box each place has to find."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

STRIDES = (8, 16, 32)
REACH = 4  # a level is for boxes whose farthest side lies up to REACH strides away
RADIUS = 1.5  # a place answers for a box whose centre is less than this many strides away


class Targets(NamedTuple):
    """What each of P places shall say: ``label`` (N, P), -1 for nothing; ``box`` (N, P, 4); ``centre`` (N, P) in [0, 1]."""

    label: torch.Tensor
    box: torch.Tensor
    centre: torch.Tensor


def locations(height: int, width: int, strides=STRIDES, device=None) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of all levels, finest first: ``points`` (P, 2) as x, y in pixels, and their ``stride`` (P,).

    A level of stride s has a place in the middle of each s × s square of the picture. Lesson 14.

    >>> points, stride = locations(32, 64, strides=(16, 32))
    >>> points[:2].tolist(), len(points), stride[-1].item()
    ([[8.0, 8.0], [24.0, 8.0]], 10, 32.0)
    """
    points, widths = [], []
    for stride in strides:
        rows, columns = -(-height // stride), -(-width // stride)
        y = (torch.arange(rows, device=device) + 0.5) * stride
        x = (torch.arange(columns, device=device) + 0.5) * stride
        points.append(torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=1))
        widths.append(torch.full((rows * columns,), float(stride), device=device))
    return torch.cat(points), torch.cat(widths)


def match(truth: torch.Tensor, points: torch.Tensor, stride: torch.Tensor) -> Targets:
    """Tell each place which box it has to find, or that it has none: the matching of FCOS.

    ``truth``: (N, M, 5) as x1, y1, x2, y2, label; rows of label -1 are padding. A place answers for a box if it lies
    inside it, less than ``RADIUS`` strides from its centre along both axes, and the box's farthest side is as far away
    as its level is made for; of several boxes it takes the smallest. ``centre`` is the centre-ness: 1 in the middle of
    the box, 0 at its edge. Lesson 14; Tian et al., 2019.

    >>> points, stride = locations(32, 32, strides=(16,))
    >>> match(torch.tensor([[[0.0, 0, 16, 16, 2]]]), points, stride).label.tolist()
    [[2, -1, -1, -1]]
    """
    if not truth.shape[1]:  # a minimum needs a row
        truth = F.pad(truth, (0, 0, 0, 1), value=-1.0)
    boxes, labels = truth[..., :4], truth[..., 4]
    to_corner = points[:, None] - boxes[:, None, :, :2]  # (N, P, M, 2)
    from_corner = boxes[:, None, :, 2:] - points[:, None]
    sides = torch.cat([to_corner, from_corner], dim=-1)  # left, top, right, bottom
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    off_middle = (points[:, None] - middle[:, None]).abs().amax(-1)
    farthest = sides.amax(-1)
    low, high = _ranges(stride)
    possible = (sides.amin(-1) > 0) & (off_middle < RADIUS * stride[:, None]) & (labels[:, None] >= 0)
    possible &= (farthest > low[:, None]) & (farthest <= high[:, None])
    sizes = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    sizes = sizes[:, None].expand_as(possible).masked_fill(~possible, torch.inf)
    smallest, chosen = sizes.min(dim=-1)
    label = labels.gather(1, chosen).long().masked_fill(smallest == torch.inf, -1)
    box = boxes.gather(1, chosen[..., None].expand(-1, -1, 4))
    sides = sides.gather(2, chosen[..., None, None].expand(-1, -1, 1, 4))[:, :, 0].clamp(min=0)
    across, down = sides[..., 0::2], sides[..., 1::2]
    ratio = (across.amin(-1) * down.amin(-1)) / (across.amax(-1) * down.amax(-1)).clamp(min=1e-9)
    return Targets(label, box, ratio.sqrt())


def _ranges(stride: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """From and up to which distance a place's level is responsible; the finest from 0, the coarsest without end."""
    levels = stride.unique()
    finer = levels[(torch.searchsorted(levels, stride) - 1).clamp(min=0)]
    low = torch.where(stride == levels[0], 0.0, REACH * finer)
    high = torch.where(stride == levels[-1], torch.inf, REACH * stride)
    return low, high
