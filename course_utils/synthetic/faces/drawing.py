"""Draw people under conditions: many pictures at once, part by part from back to front."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from course_utils.errors import CourseError
from course_utils.synthetic.faces import camera, parts
from course_utils.synthetic.faces.conditions import conditions
from course_utils.synthetic.faces.people import people as drawn_people
from course_utils.synthetic.faces.pose import Pose

LANDMARKS = (
    "left eye",
    "right eye",
    "tip of the nose",
    "left corner of the mouth",
    "right corner of the mouth",
)
BLOCK = 8  # pictures at a time: their planes stay in the processor's cache


class Faces(NamedTuple):
    """``images`` (N, H, W) uint8; ``person`` (N,) int64; ``landmarks`` (N, 5, 2) float32 as x, y in pixels, in the order of
    ``LANDMARKS``, left and right as in the picture; ``tone`` (N,) int64, an index into ``TONES``; ``conditions`` name → (N,).
    """

    images: np.ndarray
    person: np.ndarray
    landmarks: np.ndarray
    tone: np.ndarray
    conditions: dict[str, np.ndarray]


def faces(people: Iterable[int], pictures: int = 10, height: int = 112, seed: int = 0, **fixed) -> Faces:
    """Draw ``pictures`` pictures of each of the ``people``, who are numbers from 0 on.

    A picture is ``height`` pixels high and 92/112 as wide, grey. It depends on ``seed``, its person and its number alone.
    ``fixed`` sets conditions: ``yaw=0`` for all, or an array with one value for each picture; the names are those of
    ``CONDITIONS``, ``occlusion`` (an index into ``OCCLUSIONS``) and ``spectacles_on``. Raises :class:`CourseError` for a height
    outside 32 to 256, for no picture, for an unknown condition or occlusion, and for another number of values. Lesson 16.

    >>> a, b = faces([4], pictures=2), faces([3, 4], pictures=2)
    >>> bool((a.images == b.images[2:]).all()), bool((faces([4], 1, seed=1).images == a.images[:1]).all())
    (True, False)
    """
    if not 32 <= height <= 256:
        raise CourseError(f"height={height!r} is not valid. Valid: 32 to 256 pixels.")
    keys = [(int(person), picture) for person in people for picture in range(pictures)]
    if not keys:
        raise CourseError("no picture was asked for. Give at least one person and pictures=1 or more.")
    numbers, rows = np.unique([person for person, _ in keys], return_inverse=True)
    traits = {name: values[rows] for name, values in drawn_people(numbers, seed).items()}
    table = conditions(keys, seed, fixed)
    width = round(height * 92 / 112)
    images, marks = np.empty((len(keys), height, width), np.uint8), np.empty((len(keys), 5, 2), np.float32)
    for start in range(0, len(keys), BLOCK):
        block = slice(start, start + BLOCK)
        some = {name: values[block] for name, values in (traits | table).items()}
        pose = Pose(some, height, width)
        images[block] = camera.exposed(parts.drawn(pose), some, keys[block], seed)
        marks[block] = pose.landmarks()
    person = np.array([person for person, _ in keys])
    return Faces(images, person, marks, traits["tone"].astype(np.int64), table)
