"""Generated frames in the shape of CamVid, for lesson 18 where the real ones cannot be had."""

from __future__ import annotations

import numpy as np

from course_utils.synthetic.dashcam.frames import drive

# The seeds of the drives of each split, and the frames of each, three seconds apart: as many frames as the card's.
DRIVES = {"train": (range(41), 3), "val": (range(100, 117), 2), "test": (range(200, 226), 3)}
LIGHT = (("sun", "day"), ("overcast", "day"), ("sun", "day"), ("sun", "dusk"))


def frames(split: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pictures (N, 3, H, W) uint8, label maps (N, H, W) uint8 and names that begin with the drive, such as ``drive100_0``.

    A drive belongs to one split, so no test frame has a neighbour in the training set. Three drives of four are by day,
    the fourth at dusk, as in CamVid.

    >>> images, masks, names = frames("val", (48, 64))
    >>> images.shape, masks.shape, names[:3]
    ((34, 3, 48, 64), (34, 48, 64), ['drive100_0', 'drive100_1', 'drive101_0'])
    """
    seeds, n = DRIVES[split]
    images = np.empty((len(seeds) * n, 3, *size), np.uint8)
    masks = np.empty((len(images), *size), np.uint8)
    names = []
    for seed in seeds:
        weather, time_of_day = LIGHT[seed % len(LIGHT)]
        for k, frame in enumerate(drive(seed, n, size, fps=1 / 3, weather=weather, time_of_day=time_of_day)):
            images[len(names)], masks[len(names)] = frame.image.transpose(2, 0, 1), frame.labels
            names.append(f"drive{seed:03}_{k}")
    return images, masks, names
