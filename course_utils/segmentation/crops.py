"""Training windows: a picture and its mask, cut, mirrored, bent and lit together."""

from __future__ import annotations

import numpy as np
import torch

from course_utils.errors import CourseError
from course_utils.segmentation.metrics import IGNORE


def moves(size: int, *, bend: float = 0.2, light: float = 0.2, upright: bool = False):
    """An albumentations pipeline that cuts a window of ``size`` pixels and moves picture and mask together.

    ``bend``: how far a grid of points is shifted, as a share of its spacing, and how much the window is turned and scaled;
    0 leaves shapes alone. ``light``: by how much brightness and contrast change, as a share. ``upright``: things have an up, so
    there is only left-right mirroring instead of all eight symmetries of the square. Where the window leaves the picture, the
    picture is reflected; small pictures are filled up with pixels to be ignored.

    >>> sorted(moves(8)(image=np.zeros((20, 9, 1), np.uint8), mask=np.zeros((20, 9), np.uint8)).keys())
    ['image', 'mask']
    """
    import albumentations as A
    import cv2

    reflect, nearest = cv2.BORDER_REFLECT_101, cv2.INTER_NEAREST
    steps = [
        A.PadIfNeeded(size, size, border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=IGNORE),
        A.RandomCrop(size, size),
        A.HorizontalFlip(p=0.5) if upright else A.D4(p=1),
    ]
    if bend:
        turn = 10 if upright else 45
        both = {"border_mode": reflect, "mask_interpolation": nearest}
        steps += [
            A.Affine(rotate=(-turn, turn), scale=(1 - bend / 2, 1 + bend / 2), p=0.5, **both),
            A.GridDistortion(num_steps=4, distort_limit=bend, p=0.5, **both),
        ]
    if light:
        steps.append(A.RandomBrightnessContrast(light, light, p=0.8))
    return A.Compose(steps)


class Crops(torch.utils.data.Dataset):
    """``per_picture`` fresh windows an epoch of each picture: ``self[i]`` is ``(image, mask)``, (C, h, w) float and (h, w) int64.

    ``images``: (C, H, W) uint8 tensors of any sizes, ``masks``: (H, W) uint8; ``transform``: an albumentations pipeline, such as
    :func:`moves`, after which values are scaled to [0, 1] and ``(image - mean) / std``. Each window is drawn anew with a seed from
    torch's global generator, so a run with ``num_workers=0`` is resumed exactly. Raises :class:`CourseError` for pictures of
    another dtype and without one mask each. Lesson 15.

    >>> pictures, masks = torch.zeros(2, 1, 16, 16, dtype=torch.uint8), torch.zeros(2, 16, 16, dtype=torch.uint8)
    >>> windows = Crops(pictures, masks, moves(8), per_picture=3)
    >>> len(windows), windows[5][0].shape, windows[5][1].dtype
    (6, torch.Size([1, 8, 8]), torch.int64)
    """

    def __init__(self, images, masks, transform, per_picture: int = 1, mean: float = 0.0, std: float = 1.0):
        if len(images) != len(masks) or not len(images):
            raise CourseError(
                f"there are {len(images)} pictures and {len(masks)} masks. Give one mask a picture."
            )
        self.images = [np.ascontiguousarray(np.moveaxis(np.asarray(image), 0, -1)) for image in images]
        other = {str(image.dtype) for image in self.images} - {"uint8"}
        if other:
            raise CourseError(f"pictures are {', '.join(sorted(other))}. Valid: uint8, from 0 to 255.")
        self.masks = [np.asarray(mask) for mask in masks]
        self.transform, self.per_picture, self.mean, self.std = transform, per_picture, mean, std

    def __len__(self) -> int:
        return len(self.images) * self.per_picture

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")  # ends a loop over the windows
        i = index % len(self.images)
        self.transform.set_random_seed(int(torch.randint(2**31, ())))
        moved = self.transform(image=self.images[i], mask=self.masks[i])
        image = torch.from_numpy(moved["image"]).permute(2, 0, 1).float() / 255
        return (image - self.mean) / self.std, torch.from_numpy(moved["mask"].astype(np.int64))
