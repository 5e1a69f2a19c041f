"""Boxes: their three formats, how much two of them overlap, and what is left when duplicates go.

What is not float32 or float64 is computed as float32: an area of pixels overflows narrower types.
"""

from __future__ import annotations

import numpy as np
import torch

from course_utils.errors import CourseError, choice

FORMATS = ("xyxy", "xywh", "cxcywh")


def convert(boxes: torch.Tensor, source: str, target: str) -> torch.Tensor:
    """Write boxes (..., 4) in another format: corners, corner and size, or centre and size.

    ``"xyxy"`` is x1, y1, x2, y2 (Pascal VOC), ``"xywh"`` the upper left corner with width and height (COCO),
    ``"cxcywh"`` the centre with width and height (YOLO). Raises :class:`CourseError` for another format. Lesson 14.

    >>> convert(torch.tensor([10.0, 20, 40, 60]), "xyxy", "cxcywh").tolist()
    [25.0, 40.0, 30.0, 40.0]
    """
    for name in (source, target):
        choice(name, FORMATS, "box format", CourseError)
    a, b, c, d = _wide(boxes).unbind(-1)
    x1, y1 = (a - c / 2, b - d / 2) if source == "cxcywh" else (a, b)
    wide, high = (c - a, d - b) if source == "xyxy" else (c, d)
    if target == "xyxy":
        parts = (x1, y1, x1 + wide, y1 + high) if source != "xyxy" else (a, b, c, d)
    elif target == "xywh":
        parts = (x1, y1, wide, high)
    else:
        parts = (x1 + wide / 2, y1 + high / 2, wide, high)
    return torch.stack(parts, dim=-1)


def area(boxes: torch.Tensor) -> torch.Tensor:
    """The area of boxes (..., 4) as x1, y1, x2, y2; 0 where a corner is on the wrong side.

    >>> area(torch.tensor([[0.0, 0, 3, 2], [5, 0, 3, 2]])).tolist()
    [6.0, 0.0]
    """
    boxes = _wide(boxes)
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def pairwise_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of each of ``a`` (A, 4) with each of ``b`` (B, 4): (A, B) in [0, 1]. Lesson 14.

    >>> pairwise_iou(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4]])).tolist()
    [[1.0, 0.3333333432674408]]
    """
    a, b = _wide(a), _wide(b)
    corner = torch.maximum(a[:, None, :2], b[None, :, :2])
    sides = (torch.minimum(a[:, None, 2:], b[None, :, 2:]) - corner).clamp(min=0)
    shared = sides[..., 0] * sides[..., 1]
    return shared / (area(a)[:, None] + area(b)[None, :] - shared).clamp(min=1e-9)


def giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalised IoU of boxes in pairs, (..., 4) and (..., 4) → (...) in (-1, 1].

    From the IoU goes the share of the smallest enclosing box that neither covers, so that boxes which do not touch are
    told how far apart they are. Lesson 14; Rezatofighi et al., 2019.

    >>> giou(torch.tensor([0.0, 0, 1, 1]), torch.tensor([2.0, 0, 3, 1])).item()
    -0.3333333432674408
    """
    shared = area(
        torch.cat([torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])], -1)
    )
    hull = area(torch.cat([torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])], -1))
    union, hull = (area(a) + area(b) - shared).clamp(min=1e-9), hull.clamp(min=1e-9)
    return shared / union - (hull - union) / hull


def nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float, labels=None) -> torch.Tensor:
    """Non-maximum suppression: the rows of ``boxes`` (N, 4) to keep, best score first.

    The best box stays and removes all that overlap it by more than ``threshold``; then the best of what is left. With
    ``labels`` (N,) only boxes of the same class remove each other. Takes N² bytes and more: for thousands of boxes, not
    for a million; lesson 14 writes one for those.

    >>> boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]])
    >>> nms(boxes, torch.tensor([0.8, 0.9, 0.7]), threshold=0.5).tolist()
    [1, 2]
    >>> nms(boxes, torch.tensor([0.8, 0.9, 0.7]), 0.5, labels=torch.tensor([0, 1, 0])).tolist()
    [1, 0, 2]
    """
    boxes = _wide(boxes)
    if labels is not None and len(boxes):  # each class in a place of its own
        boxes = boxes + (labels * (boxes.max() - boxes.min() + 1)).to(boxes.dtype)[:, None]
    rows = scores.argsort(descending=True, stable=True)
    close = (pairwise_iou(boxes[rows], boxes[rows]).cpu().double() > threshold).numpy()
    gone, kept = np.zeros(len(rows), bool), []
    for i in range(len(rows)):
        if not gone[i]:
            kept.append(i)
            gone |= close[i]
    return rows[torch.tensor(kept, dtype=torch.int64, device=rows.device)]


def _wide(boxes: torch.Tensor) -> torch.Tensor:
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()
