"""What an anchor-free detector is trained to make small."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course_utils.detection.boxes import giou
from course_utils.detection.points import STRIDES, locations, match
from course_utils.errors import CourseError
from course_utils.processes import total


def focal_loss(logits: torch.Tensor, targets: torch.Tensor, alpha: float = 0.25, gamma: float = 2.0):
    """Binary cross-entropy that counts easy cases less, element by element: same shape as ``logits``.

    ``targets`` hold 0 and 1. With p the probability of what is true, an element weighs ``(1 - p) ** gamma``, and ``alpha``
    or ``1 - alpha`` where the target is 1 or 0. Lesson 14; Lin et al., 2017.

    >>> focal_loss(torch.tensor([0.0]), torch.tensor([1.0]), alpha=0.5, gamma=2.0).item()
    0.08664339780807495
    """
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = torch.exp(-entropy)
    return (alpha * targets + (1 - alpha) * (1 - targets)) * (1 - right).clamp(min=1e-8) ** gamma * entropy


def detection_loss(outputs: torch.Tensor, truth: torch.Tensor, size: tuple[int, int], strides=STRIDES):
    """Focal loss of the classes, GIoU loss of the boxes, cross-entropy of the centre-ness, each per place with a box.

    ``outputs``: (N, P, K + 5), as :class:`~course_utils.detection.Detector` gives; ``truth``: (N, M, 5); ``size``: height
    and width of the pictures. Returns a scalar. Raises :class:`CourseError` for a label of K or more. Lesson 14; Tian et al., 2019.

    >>> detection_loss(torch.full((1, 84, 7), -9.0), torch.tensor([[[0.0, 0, 0, 0, -1]]]), (64, 64)).round().item()
    0.0
    """
    outputs = outputs.float()
    scores, labels = outputs[..., :-5], truth[..., 4]
    if len(wrong := labels[labels >= scores.shape[-1]]):
        raise CourseError(
            f"the truth has a box of class {wrong[0].item():g}, and the outputs know {scores.shape[-1]} classes. Valid: 0 to "
            f"{scores.shape[-1] - 1}, -1 for padding. Give the detector as many classes as the labels have."
        )
    points, stride = locations(*size, strides, device=outputs.device)
    wanted = match(truth, points, stride)
    positive = wanted.label >= 0
    count = total(positive.sum()).clamp(min=1)
    one_hot = F.one_hot(wanted.label.clamp(min=0), scores.shape[-1]) * positive[..., None]
    classes = total(focal_loss(scores, one_hot.to(scores.dtype)).sum()) / count
    boxes = to_boxes(outputs[..., -5:-1], points, stride)[positive]
    weight = wanted.centre[positive]
    overlap = 1 - giou(boxes, wanted.box[positive])
    boxes = total((overlap * weight).sum()) / total(weight.sum()).clamp(min=1e-6)
    centre = F.binary_cross_entropy_with_logits(outputs[..., -1][positive], weight, reduction="sum")
    return classes + boxes + total(centre) / count


def to_boxes(distances: torch.Tensor, points: torch.Tensor, stride: torch.Tensor) -> torch.Tensor:
    """The boxes (..., P, 4) that lie ``exp(distances) * stride`` to the left of, above, right of and below the places.

    >>> to_boxes(torch.zeros(1, 4), torch.tensor([[12.0, 20.0]]), torch.tensor([8.0])).tolist()
    [[4.0, 12.0, 20.0, 28.0]]
    """
    reach = distances.clamp(max=5).exp() * stride[:, None]
    return torch.cat([points - reach[..., :2], points + reach[..., 2:]], dim=-1)
