"""How the polygons are painted: bricks and windows, tiles, boards, leaves, and what is round."""

from __future__ import annotations

import numpy as np

from course_utils.synthetic.dashcam import noise
from course_utils.synthetic.dashcam.ground import cover
from course_utils.synthetic.dashcam.raster import Faces
from course_utils.synthetic.dashcam.shapes import Kind, tint, triple

BAY, STOREY = 2.25, 3.0  # metres from window to window
LAMPLIGHT, FRAME = np.float32([1.0, 0.72, 0.38]), np.float32([0.55, 0.54, 0.5])
DOOR, BOARD = np.float32([0.03, 0.06, 0.1]), np.float32([0.02, 0.12, 0.16])  # their darkest shade
OPENINGS = np.float32(
    [[0.5, 0.46, 1.0], [0.95, 0.05, 0.5], [2.35, 2.1, 2.35]]
)  # half width, low and high of window, door, shop


def paint(faces: Faces, index, points, pixel, sun) -> tuple[np.ndarray, ...]:
    """Linear colour (N, 3), share of the sun (N,), share of the sky (N,) and own light (N, 3) of pixels on polygons.

    ``index`` (N,): the face of each pixel; ``points`` (N, 3): what it sees, in the vehicle's frame; ``pixel`` (N,): the
    width in metres that one pixel covers there; ``sun`` (3,): the direction to the sun.
    """
    looks, sun = faces.looks, sun.astype(np.float32)
    kind, seed = (looks[name].take(index) for name in ("kind", "seed"))
    shades = looks["colour"] ** 2
    vectors = (faces.normal, faces.origin, faces.along, shades, shades * (1.5 * looks["glow"][:, None]))
    normal, origin, along, colour, glow = (a.astype(np.float32).take(index, 0) for a in vectors)
    offset = points - origin
    u, z = np.einsum("ni,ni->n", offset, along), points[:, 2]
    light = normal @ sun
    sky = 0.62 + 0.38 * normal[:, 2]

    at = np.flatnonzero(kind == Kind.WALL)
    colour[at], glow[at] = _wall(colour[at], seed[at], u[at], z[at], pixel[at], normal[at, 0])
    at = np.flatnonzero(kind == Kind.ROOF)
    rows = 0.5 + 0.5 * np.cos(z[at] * (2 * np.pi / 0.35))
    colour[at] *= triple(1 - 0.3 * rows * np.clip(1 - pixel[at] / 0.15, 0, 1))
    at = np.flatnonzero(kind == Kind.FENCE)
    seam = cover((u[at] % 0.3) - 0.15, 0.05, pixel[at])
    colour[at] *= triple(1 - 0.6 * seam + 0.12 * (noise.draw(u[at] / 0.3, seed[at]) - 0.5))
    at = np.flatnonzero(kind == Kind.GLASS)
    colour[at] += tint(0.05 + 0.05 * np.maximum(normal[at, 2], 0), (0.8, 0.9, 1.0))
    at = np.flatnonzero((kind == Kind.LEAVES) | (kind == Kind.HEDGE))
    _leaves(colour, sky, at, seed[at], u[at], along[at], z[at], pixel[at])

    at = np.flatnonzero(kind >= Kind.LEAVES)
    size = _length(along[at])
    t = np.clip(u[at], -1, 1)
    w = np.where(kind[at] == Kind.LEAVES, np.clip(offset[at, 2] * size, -1, 1), 0)
    toward = np.sqrt(np.maximum(1 - t**2 - w**2, 0.05))
    side = (along[at] @ sun) / np.maximum(size, 1e-6)
    light[at] = t * side + w * sun[2] + toward * light[at]
    sky[at] *= 0.8 + 0.35 * w
    sky *= np.clip(0.72 + 0.28 * z, 0.72, 1)
    return colour, np.maximum(light, 0), sky, glow


def _length(vectors):
    return np.sqrt(np.einsum("ni,ni->n", vectors, vectors))


def _leaves(colour, sky, at, seed, u, along, z, pixel):
    seed = seed.astype(np.float32)
    a, b = u / np.maximum(_length(along), 1e-6) + seed * 0.37, z + seed * 0.11
    fine = np.clip(1 - pixel / 0.5, 0, 1)
    clumps, leaves = noise.smooth(a * 0.16, b * 0.16), noise.draw(a * 9, b * 9) - 0.5
    colour[at] *= triple(np.clip(1 + 0.3 * clumps + 0.55 * leaves * fine, 0.3, 2.0))
    sky[at] *= np.clip(0.75 + 0.2 * clumps, 0.4, 1)


def _wall(colour, seed, u, z, pixel, facing):
    """A front with windows, a door here and there, and in some houses a shop on the ground floor."""
    bay, storey = np.floor(u / BAY), np.floor(z / STOREY)
    across = pixel / np.sqrt(np.maximum(np.abs(facing), 0.15))
    x, y = np.abs(u - (bay + 0.5) * BAY), z - storey * STOREY
    shop = (seed % 3 == 0) & (storey == 0)
    door = (storey == 0) & ~shop & ((bay + seed) % 4 == 0)
    half, low, high = OPENINGS.take(2 * shop + door, 1)
    middle, tall = y - (low + high) / 2, high - low
    inner = cover(x, 2 * half, across) * cover(middle, tall, pixel)
    outer = cover(x, 2 * half + 0.24, across) * cover(middle, tall + 0.24, pixel)
    bar = np.maximum(cover(x, 0.07, across), cover(middle, 0.07, pixel)) * (~shop & ~door)
    inner *= 1 - bar

    chance = noise.draw(bay * 7 + seed, storey * 5 + (seed >> 4))
    glass = tint(0.02 + 0.10 * chance + 0.07 / STOREY * y, (0.85, 0.95, 1.1))
    at = np.flatnonzero(door)
    glass[at] = noise.draw(seed[at], bay[at])[:, None] * np.float32([0.25, 0.1, 0.12]) + DOOR
    stain = 1 + 0.08 * noise.smooth(u * 0.11 + seed.astype(np.float32) * 0.7, z * 0.11) - 0.18 * (z < 0.45)
    course = cover(y - 0.15, 0.16, pixel) * (storey > 0)
    colour *= triple(stain + 0.25 * course)
    at = np.flatnonzero(shop & (y > 2.45) & (y < 2.95))
    colour[at] = noise.draw(seed[at] + 3, seed[at])[:, None] * np.float32([0.35, 0.05, 0.05]) + BOARD
    colour *= triple((1 - outer) * (1 - inner))
    colour += tint(outer * (1 - inner), FRAME) + glass * triple(inner)
    lit = ((chance > 0.62) | shop) & ~door
    return colour, tint(inner * lit * (0.25 + 0.5 * chance), LAMPLIGHT)
