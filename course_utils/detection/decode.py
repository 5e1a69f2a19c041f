"""From what a detector says at each place to a short list of boxes."""

from __future__ import annotations

from typing import NamedTuple

import torch

from course_utils.detection.boxes import area, nms
from course_utils.detection.losses import to_boxes
from course_utils.detection.points import STRIDES, locations
from course_utils.errors import CourseError


class Detections(NamedTuple):
    """What was found in one picture, best first: ``boxes`` (n, 4), ``scores`` (n,) in [0, 1], ``labels`` (n,) int64."""

    boxes: torch.Tensor
    scores: torch.Tensor
    labels: torch.Tensor


def decode(
    outputs: torch.Tensor,
    size: tuple[int, int],
    strides=STRIDES,
    *,
    score: float = 0.05,
    overlap: float = 0.6,
    most: int = 100,
) -> list[Detections]:
    """Turn outputs (N, P, K + 5) into N :class:`Detections`: score, keep the good ones, remove duplicates class by class.

    A place's score for a class is the geometric mean of the class's probability and the centre-ness. What scores less
    than ``score`` goes, then what overlaps a better box of its class by more than ``overlap``; ``most`` are kept.
    ``size`` is the height and width of the pictures, at which boxes are cut off; one of which nothing is left goes too.
    Lesson 14; Tian et al., 2019.

    >>> says = torch.full((1, 84, 6), -9.0)
    >>> says[0, 9] = torch.tensor([4.0, 0, 0, 0, 0, 4])
    >>> decode(says, (64, 64))[0].boxes.tolist()
    [[4.0, 4.0, 20.0, 20.0]]
    """
    outputs = outputs.float()
    height, width = size
    points, stride = locations(height, width, strides, device=outputs.device)
    edge = torch.tensor([width, height, width, height], device=outputs.device)
    chances = (outputs[..., :-5].sigmoid() * outputs[..., -1:].sigmoid()).sqrt()
    boxes = to_boxes(outputs[..., -5:-1], points, stride).clamp(min=0).minimum(edge)
    found = []
    for own, scores in zip(boxes, chances, strict=True):
        good = (scores > score) & (area(own) > 0)[:, None]
        places, labels = good.nonzero(as_tuple=True)
        scores = scores[places, labels]
        best = scores.argsort(descending=True, stable=True)[: 10 * most]
        own, scores, labels = own[places[best]], scores[best], labels[best]
        kept = nms(own, scores, overlap, labels)[:most]
        found.append(Detections(own[kept], scores[kept], labels[kept]))
    return found


@torch.no_grad()
def detect(model, images: torch.Tensor, batch_size: int = 8, **options) -> list[Detections]:
    """What ``model`` finds in ``images`` (N, 3, H, W) uint8, on the CPU; ``options`` go to :func:`decode`.

    Raises :class:`CourseError` for pictures of another type.

    >>> from course_utils.detection import Detector
    >>> len(detect(Detector(2, 16, pretrained=False), torch.zeros(3, 3, 64, 64, dtype=torch.uint8)))
    3
    """
    from course_utils.meter import eval_mode

    if images.dtype != torch.uint8:
        raise CourseError(
            f"the pictures are {images.dtype}. Valid: torch.uint8, 0 to 255. detect divides by 255 itself: leave your division out."
        )
    device, found = next(model.parameters()).device, []
    with eval_mode(model):
        for part in images.split(batch_size):
            x = part.to(device).float().div(255).contiguous(memory_format=torch.channels_last)
            found += decode(model(x), tuple(images.shape[-2:]), model.strides, **options)
    return [Detections(*(t.cpu() for t in one)) for one in found]
