"""Generated drives as a data set: pictures with masks and boxes, and what only a generator knows. Lesson 18."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch

from course_utils.data.rows import chosen_rows
from course_utils.data.segmentation import IGNORE
from course_utils.driving.boxes import SMALLEST, THINGS
from course_utils.driving.own import DrivingSet
from course_utils.errors import CourseError
from course_utils.synthetic.dashcam import CLASSES, Frame, Label, drive

TAGS = {
    "weather": ("sun", "overcast", "fog", "rain"),
    "time of day": ("day", "dusk", "night"),
    "curve": ("left", "straight", "right"),
    "crossing": ("no", "yes"),
}


class Film(DrivingSet):
    """A :class:`~course_utils.driving.own.DrivingSet` of generated frames with all their truth.

    ``tags`` (N, 4) int64: indices into the values of ``TAGS``; ``lanes`` (N, H, W) uint8: 1 where the road belongs to the own lane;
    ``tracks``: N tensors (n,) int64, who is in each box; ``frames``: the N :class:`~course_utils.synthetic.dashcam.Frame`.
    """

    tags: torch.Tensor
    lanes: torch.Tensor
    tracks: list[torch.Tensor]
    frames: list[Frame]

    def subset(self, indices) -> Film:
        """The frames at ``indices`` (integers or a boolean mask of length N), as a data set of the same kind."""
        chosen = chosen_rows(indices, len(self))
        part = super().subset(chosen)
        part.tags, part.lanes = self.tags[chosen], self.lanes[chosen]
        part.tracks, part.frames = ([column[i] for i in chosen] for column in (self.tracks, self.frames))
        return part


def film(
    seeds: Iterable[int],
    frames: int,
    size: tuple[int, int],
    fps: float = 1 / 3,
    conditions: Sequence[dict] = ({},),
) -> Film:
    """``frames`` frames of the drive of each seed; the drives take turns with ``conditions``, such as ``{"weather": "fog"}``.

    A frame's name begins with its drive, as in ``drive003_1``. The same arguments give the same film. Raises
    :class:`CourseError` where there is no seed.

    >>> one = film([3], frames=2, size=(48, 64), conditions=[{"weather": "rain"}])
    >>> one.names, one.tags[0].tolist()[:2], one.images.shape
    (['drive003_0', 'drive003_1'], [3, 0], torch.Size([2, 3, 48, 64]))
    """
    shots, names = [], []
    for i, seed in enumerate(seeds):
        chosen = conditions[i % len(conditions)]
        for k, frame in enumerate(drive(seed, frames, size, fps, **chosen)):
            shots.append(frame)
            names.append(f"drive{seed:03}_{k}")
    if not shots:
        raise CourseError("no drive was asked for. Give at least one seed.")
    images = torch.from_numpy(np.stack([frame.image for frame in shots])).permute(0, 3, 1, 2).contiguous()
    labels = np.stack([frame.labels for frame in shots])
    masks = torch.from_numpy(np.where(labels == Label.UNLABELLED, IGNORE, labels).astype(np.uint8))
    made = Film(images, masks, CLASSES, names)
    made.name, made.split, made.source, made.things = "dash cam", "all", "generated", THINGS
    seen = [[t for t in frame.things if t.pixels >= SMALLEST] for frame in shots]
    made.boxes = [
        torch.tensor([t.box for t in things], dtype=torch.float32).reshape(-1, 4) for things in seen
    ]
    made.labels = [
        torch.tensor([THINGS.index(t.label.name.lower()) for t in things]).long() for things in seen
    ]
    made.tracks = [torch.tensor([t.track for t in things]).long() for things in seen]
    made.tags = torch.tensor([tag_numbers(frame.tags) for frame in shots])
    made.lanes = torch.from_numpy(np.stack([own_lane(frame) for frame in shots]))
    made.frames = shots
    return made


def tag_numbers(tags: dict) -> list[int]:
    """The scene tags of a frame as indices into the values of ``TAGS``.

    >>> tag_numbers({"weather": "fog", "time_of_day": "night", "curve": "left", "crossing": True})
    [2, 2, 0, 1]
    """
    said = (tags["weather"], tags["time_of_day"], tags["curve"], ("no", "yes")[tags["crossing"]])
    return [values.index(value) for values, value in zip(TAGS.values(), said, strict=True)]


def own_lane(frame: Frame) -> np.ndarray:
    """The pixels (H, W) uint8 of road between the two lines that bound the lane of the camera's car, up to 60 m ahead."""
    mask = np.zeros(frame.labels.shape, np.uint8)
    lines = {line.bounds: line for line in frame.lines}
    if {"left", "right"} <= set(lines):
        sides = [
            frame.camera.project(np.c_[near_to_far(lines[b].ground), np.zeros(30)])[0]
            for b in ("left", "right")
        ]
        outline = np.concatenate([sides[0], sides[1][::-1]])
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    return mask * (frame.labels == Label.ROAD)


def near_to_far(ground: np.ndarray, near: float = 2.0) -> np.ndarray:
    """30 points (30, 2) along a line on the ground, continued straight towards the car where the picture cuts it off."""
    x = np.linspace(near, ground[-1, 0], 30)
    slope = (ground[1, 1] - ground[0, 1]) / (ground[1, 0] - ground[0, 0])
    y = np.interp(x, ground[:, 0], ground[:, 1])
    return np.c_[x, np.where(x < ground[0, 0], ground[0, 1] + slope * (x - ground[0, 0]), y)]
