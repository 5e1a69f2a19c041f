"""The reader's own drives: pictures with masks and, where there are any, boxes; one data set for both. Lesson 18."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.folders import composed
from course_utils.data.rows import chosen_rows
from course_utils.data.segmentation import IGNORE, MaskSet
from course_utils.detection.own import OwnBoxes, Problem, read_boxes
from course_utils.driving.boxes import SMALLEST, THINGS, component_boxes
from course_utils.driving.sequences import sequence
from course_utils.errors import DataError
from course_utils.segmentation.folders import mask_folder

LAYOUT = (
    "Boxes stand in boxes/ beside images/ and masks/: a COCO file (*.json), Pascal VOC files (one *.xml a picture) or YOLO "
    "files (one *.txt a picture, and boxes/classes.txt). Without that folder they are made from the masks."
)


class DrivingSet(MaskSet):
    """A :class:`~course_utils.data.segmentation.MaskSet` whose frames have boxes too.

    ``boxes``: N tensors (n, 4) float32, x1, y1, x2, y2 in pixels; ``labels``: N tensors (n,) int64, indices into ``things``.
    ``problems``: what was wrong with the files of boxes, and what was done about it. ``sequences``: the video of each frame.

    >>> masks = torch.zeros(2, 6, 8, dtype=torch.uint8); masks[1, 1:5, 2:8] = 1
    >>> data = from_masks(MaskSet(torch.zeros(2, 3, 6, 8, dtype=torch.uint8), masks, ("road", "car"), ["a_1", "b_1"]))
    >>> data.subset([1]).boxes[0].tolist(), data.things, data.sequences
    ([[2.0, 1.0, 8.0, 5.0]], ('car',), ['a', 'b'])
    """

    boxes: list[torch.Tensor]
    labels: list[torch.Tensor]
    things: tuple[str, ...] = ()
    problems: Sequence[Problem] = ()

    @property
    def sequences(self) -> list[str]:
        """The video that each frame's name tells."""
        return [sequence(name) for name in self.names]

    def subset(self, indices) -> DrivingSet:
        """The frames at ``indices`` (integers or a boolean mask of length N), as a data set of the same kind."""
        chosen = chosen_rows(indices, len(self))
        part = super().subset(chosen)
        part.boxes, part.labels = ([column[i] for i in chosen] for column in (self.boxes, self.labels))
        part.things, part.problems = self.things, self.problems
        return part


def from_masks(data: MaskSet, things: Sequence[str] = THINGS, smallest: int = SMALLEST) -> DrivingSet:
    """The same frames with a box for each connected area of those ``things`` that are classes of the masks.

    What such boxes are worth, and ``smallest``: :func:`~course_utils.driving.boxes.component_boxes`.
    """
    built = DrivingSet(data.images, data.masks, data.classes, data.names)
    built.name, built.split, built.source, built.card = data.name, data.split, data.source, data.card
    known = {name.casefold() for name in data.classes}
    built.things = tuple(thing for thing in things if thing.casefold() in known)
    found = [component_boxes(mask, data.classes, built.things, smallest) for mask in data.masks.numpy()]
    built.boxes = [torch.from_numpy(boxes) for boxes, _ in found]
    built.labels = [torch.from_numpy(labels) for _, labels in found]
    return built


def driving_folder(path: str | Path, size: int = 180, things: Sequence[str] = THINGS) -> DrivingSet:
    """Read ``images/``, ``masks/`` and, if there, ``boxes/`` below ``path``: frames (N, 3, size, size · 4/3) uint8.

    Each picture is scaled to fit, its mask (nearest neighbour) and boxes with it, and filled up at the right or below: grey,
    to be ignored. Masks are those of lesson 15 (:func:`~course_utils.segmentation.folders.mask_folder`), boxes those of
    lesson 14 (:func:`~course_utils.detection.own.read_boxes`); without ``boxes/`` they come from the masks, for ``things``
    that are classes of them, and ``things`` of the result names what was found, perhaps nothing.
    Raises :class:`DataError` that lists every file that cannot be used. A box that can be left out or cut is a line of
    ``problems`` instead, and so is a picture that no file of boxes names: it counts as one without boxes.
    """
    root, shape = Path(path).expanduser(), (size, round(size * 4 / 3))
    wrong, own = [], None
    try:
        masks = mask_folder(root, lambda picture, mask: _fitted(picture, mask, shape))
    except DataError as error:
        wrong.append(str(error))
    if (root / "boxes").is_dir() and (root / "images").is_dir():
        try:
            own = read_boxes(root / "boxes", pictures=root / "images")
        except DataError as error:
            wrong.append(f"{error} {LAYOUT}")
    if wrong:
        raise DataError("\n".join(wrong))
    images = torch.full((len(masks), 3, *shape), 128, dtype=torch.uint8)
    labels = torch.full((len(masks), *shape), IGNORE, dtype=torch.uint8)
    for i, (picture, mask) in enumerate(masks):
        high, wide = mask.shape
        images[i, :, :high, :wide], labels[i, :high, :wide] = picture, mask
    data = MaskSet(images, labels, masks.classes, masks.names)
    data.name, data.split, data.source = masks.name, masks.split, masks.source
    return from_masks(data, things) if own is None else _with(from_masks(data, ()), own, root, shape)


def _fitted(picture: np.ndarray, mask: np.ndarray, shape) -> tuple[np.ndarray, np.ndarray]:
    """Picture and mask no larger than ``shape``, their sides in the same proportion as before."""
    scale = _scale(picture.shape[1::-1], shape)
    fit = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    small = Image.fromarray(picture).resize(fit, Image.Resampling.BILINEAR)
    rows, columns = (
        ((np.arange(n) + 0.5) * (side / n)).astype(int)
        for n, side in zip(fit[::-1], mask.shape, strict=False)
    )
    return np.array(small), mask[rows][:, columns]


def _scale(size: tuple[int, int], shape) -> float:
    return min(shape[1] / size[0], shape[0] / size[1])


def _with(data: DrivingSet, own: OwnBoxes, root: Path, shape) -> DrivingSet:
    """The frames with the boxes of ``own``, scaled as the pictures were."""
    data.things, problems, places = own.classes, list(own.problems), {n: i for i, n in enumerate(data.names)}
    for picture, size, boxes, labels in zip(own.paths, own.sizes, own.boxes, own.labels, strict=True):
        i = places.get(composed(picture.stem))
        if i is None:
            problems.append(Problem(picture, 1, "it has boxes, but no mask in masks/; left out"))
            continue
        scaled = boxes * _scale(size, shape)
        seen = (scaled[:, 2:] - scaled[:, :2]).amin(1) >= 1
        if not seen.all():
            told = f"{int((~seen).sum())} of its boxes are under one pixel at {shape[1]}×{shape[0]}; left out"
            problems.append(Problem(picture, 1, told))
        data.boxes[i] = torch.cat([data.boxes[i], scaled[seen]])
        data.labels[i] = torch.cat([data.labels[i], labels[seen]])
    named = {composed(picture.stem) for picture in own.paths}
    problems += [
        Problem(file, 1, "no file of boxes names it; it counts as a picture without boxes")
        for file in sorted((root / "images").iterdir())
        if composed(file.stem) in places and composed(file.stem) not in named
    ]
    data.problems = problems
    return data
