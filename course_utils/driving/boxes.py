"""Boxes where a data set has label masks only: the connected areas of cars, pedestrians and bicyclists. Lesson 18."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from course_utils.errors import CourseError

THINGS = ("car", "pedestrian", "bicyclist")
SMALLEST = 20  # pixels: smaller things get no box


def component_boxes(
    mask, classes: Sequence[str], things: Sequence[str] = THINGS, smallest: int = SMALLEST
) -> tuple[np.ndarray, np.ndarray]:
    """One box for each connected area of a thing in a mask (H, W) of class numbers: (n, 4) float32 and (n,) int64.

    A box is x1, y1, x2, y2 in pixels from the upper left corner, outer edges; a label is an index into ``things``. Pixels that
    touch by a side or a corner are connected; areas of fewer than ``smallest`` pixels are left out.
    **Limits.** A mask does not say which pixels belong to one object: cars in a queue or people in a group that touch make
    one box, and a pole in front of a car makes two. The box is that of the visible part. A detector that is trained or
    judged on these boxes learns groups as objects; count with boxes that a person drew.
    Raises :class:`CourseError` for a thing that is no class.

    >>> mask = np.zeros((6, 12), int); mask[1:3, 1:5] = 1; mask[3, 5] = 1; mask[2:6, 8:10] = 2
    >>> boxes, labels = component_boxes(mask, ("road", "car", "pedestrian"), ("car", "pedestrian"), smallest=8)
    >>> boxes.tolist(), labels.tolist()
    ([[1.0, 1.0, 6.0, 4.0], [8.0, 2.0, 10.0, 6.0]], [0, 1])
    """
    mask, numbers = np.asarray(mask), {name.casefold(): k for k, name in enumerate(classes)}
    boxes, labels = [], []
    for label, thing in enumerate(things):
        if thing.casefold() not in numbers:
            raise CourseError(f"the thing {thing!r} is no class of the masks. Valid: {', '.join(classes)}.")
        areas, _ = ndimage.label(mask == numbers[thing.casefold()], np.ones((3, 3)))
        sizes = np.bincount(areas.ravel())[1:]
        for (rows, columns), size in zip(ndimage.find_objects(areas), sizes, strict=True):
            if size >= smallest:
                boxes.append((columns.start, rows.start, columns.stop, rows.stop))
                labels.append(label)
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)
