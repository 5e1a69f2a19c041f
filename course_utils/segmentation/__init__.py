"""Segmentation: a class for each pixel, and an object for each pixel. Lesson 15 builds these parts by hand.

>>> import torch
>>> matrix = pixel_confusion(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]), num_classes=2)
>>> round(pixel_error(matrix), 3), iou(matrix).tolist()
(0.5, [0.5, 0.0])
"""

from __future__ import annotations

from importlib import import_module

from course_utils.segmentation.metrics import boundary_f1, dice, iou, pixel_confusion, pixel_error

_HOMES = {
    "Crops": "crops",
    "moves": "crops",
    "MaskFolder": "folders",
    "mask_folder": "folders",
    "components": "instances",
    "match_instances": "instances",
    "watershed_instances": "instances",
    "boundary_loss": "losses",
    "dice_loss": "losses",
    "pixel_cross_entropy": "losses",
    "signed_distance": "losses",
    "lite0_unet": "models",
    "predict_tiled": "tiles",
}  # these import torch, or libraries that take seconds

__all__ = ["boundary_f1", "dice", "iou", "pixel_confusion", "pixel_error", *sorted(_HOMES)]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
