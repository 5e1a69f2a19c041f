"""The ground: which part of the road, the pavement or the verge each pixel sees, and how it is painted.

Each pixel is projected back to the ground and located along the road; lines and stripes are drawn there, in metres, and
faded by how much of them falls into the pixel, so that they neither flicker nor end in stairs.
"""

from __future__ import annotations

import numpy as np

from course_utils.synthetic.dashcam import noise
from course_utils.synthetic.dashcam.shapes import Label, tint, triple
from course_utils.synthetic.dashcam.world import BLOCK, LANE, PAVEMENT, ZEBRA, World

KERB = 0.18  # metres
LINE = 0.14  # metres: the width of a line
DASH, PERIOD = 3.0, 7.5  # metres: the length of a dash, and from one dash to the next
ASPHALT, SLABS, KERBSTONE, GRAVEL, COURT, GRASS = range(6)
COLOURS = np.float32(
    [
        [0.095, 0.096, 0.1],
        [0.3, 0.285, 0.265],
        [0.42, 0.41, 0.39],
        [0.27, 0.24, 0.2],
        [0.24, 0.228, 0.212],
        [0.1, 0.165, 0.045],
    ]
)
LABELS = np.array([Label.ROAD, *[Label.PAVEMENT] * 4, Label.TREE], np.uint8)
WHITE = np.float32([0.62, 0.62, 0.6])


def paint(world: World, s, d, place, across, along) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) uint8 and linear colours (N, 3) float32 of ground points.

    ``s``, ``d`` (N,): where on the road; ``place`` (N, 2): where in the world; ``across``, ``along`` (N,): the size of a
    pixel on the ground in metres, sideways and ahead.
    """
    at = np.clip(2 * s, 0, len(world.kerb) - 1).astype(np.int32)
    kerb, out = world.kerb.ravel().take(2 * at + (d < 0)), np.abs(d)
    beyond = _BEYOND[world.zones].ravel().take(2 * (at // int(2 * BLOCK)) + (d < 0))
    far = out > np.float32(world.half + PAVEMENT)
    out -= kerb
    surface = (out > 0).astype(np.uint8) + ((out > 0) & (out < KERB))
    surface = np.where(far, beyond, surface)
    colour = COLOURS.take(surface, 0)

    rough = noise.smooth(place[:, 0] * 0.09, place[:, 1] * 0.09)
    stain = noise.smooth(place[:, 0] * 0.011, place[:, 1] * 0.011)
    on_road = out < 0
    wear = np.cos((d % LANE - LANE / 2) * (4 * np.pi / LANE)) * 0.05
    shade = 1 + 0.1 / (1 + 8 * along) * rough + 0.1 * stain + np.where(on_road, wear, 0.08 * rough)
    shade *= _joints(s, out, far, across, along)
    white = _white(world, s, d, across, along) * np.clip(0.9 + 0.12 * rough, 0.6, 1) * on_road
    colour *= triple(shade * (1 - white))
    colour += tint(white, WHITE)
    return LABELS.take(surface), np.maximum(colour, 0.01)


_BEYOND = np.array(
    [COURT, GRAVEL, GRASS, GRASS], np.uint8
)  # what lies beyond the pavement of each kind of block


def _joints(s, out, far, across, along) -> np.ndarray:
    """A factor on the colour: below 1 in the joints between the slabs of the pavement."""
    slab = (out > KERB) & ~far
    joint = cover((s % 0.9) - 0.45, 0.02, along) + cover((out % 0.75) - 0.375, 0.02, across)
    return 1 - 0.45 * np.minimum(joint, 1) * slab


def _white(world: World, s, d, across, along) -> np.ndarray:
    """How much of each pixel is white paint, 0 to 1."""
    white = np.zeros_like(d)
    dash = cover((s % PERIOD) - PERIOD / 2, DASH, along)
    for at, dashed in world.markings:
        line = cover(d - at, LINE, across)
        white = np.maximum(white, line * dash if dashed else line)
    for at in world.crossings:
        if s.min() < at + 6 and s.max() > at - 6:
            crossing = cover(s - at, ZEBRA, along)
            stripes = cover((d % 1.2) - 0.6, 0.6, across)
            clear = 1 - cover(s - at, ZEBRA + 2.4, along)
            white = np.maximum(white * clear, crossing * stripes)
            for side in (1, -1):
                stop = cover(s - at + side * (ZEBRA / 2 + 1.2), 0.3, along) * (side * d > 0)
                white = np.maximum(white, stop * (np.abs(d) < world.lanes * LANE))
    return white


def cover(distance, width, pixel) -> np.ndarray:
    """The share of a pixel, ``pixel`` m wide, that a strip of ``width`` m covers whose middle is ``distance`` m away.

    >>> cover(np.array([0.0, 0.1, 1.0]), 0.2, np.array([0.1, 0.1, 0.1])).round(2).tolist()
    [1.0, 0.5, 0.0]
    """
    half = (width + pixel) / 2
    return np.clip((half - np.abs(distance)) / pixel, 0, np.minimum(1, width / pixel))
