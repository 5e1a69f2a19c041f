"""Object detection: boxes, an anchor-free detector, its training data and its judge. Taught in lesson 14.

>>> from course_utils.detection import pairwise_iou
>>> import torch
>>> pairwise_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]])).item()
0.3333333432674408
"""

from course_utils.detection.boxes import area, convert, giou, nms, pairwise_iou
from course_utils.detection.decode import Detections, decode, detect
from course_utils.detection.losses import detection_loss, focal_loss
from course_utils.detection.model import Detector
from course_utils.detection.points import locations, match

__all__ = [
    "Detections",
    "Detector",
    "area",
    "convert",
    "decode",
    "detect",
    "detection_loss",
    "focal_loss",
    "giou",
    "locations",
    "match",
    "nms",
    "pairwise_iou",
]
