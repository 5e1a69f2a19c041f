"""How the polygons are painted: bricks and windows, tiles, boards, leaves, and what is round."""

from __future__ import annotations

import numpy as np

from course_utils.synthetic.dashcam import noise
from course_utils.synthetic.dashcam.ground import cover
from course_utils.synthetic.dashcam.raster import Faces
from course_utils.synthetic.dashcam.shapes import Kind

BAY, STOREY = 2.25, 3.0  # metres from window to window
LAMPLIGHT = np.float32([1.0, 0.72, 0.38])


def paint(faces: Faces, index, points, pixel, sun) -> tuple[np.ndarray, ...]:
    """Linear colour (N, 3), share of the sun (N,), share of the sky (N,) and own light (N, 3) of pixels on polygons.

    ``index`` (N,): the face of each pixel; ``points`` (N, 3): what it sees, in the vehicle's frame; ``pixel`` (N,): the
    width in metres that one pixel covers there; ``sun`` (3,): the direction to the sun.
    """
    looks, sun = faces.looks, sun.astype(np.float32)
    colour, kind, seed = (looks["colour"] ** 2)[index], looks["kind"][index], looks["seed"][index]
    normal, origin, along = (a.astype(np.float32)[index] for a in (faces.normal, faces.origin, faces.along))
    offset = points - origin
    u, z = np.einsum("ni,ni->n", offset, along), points[:, 2]
    light = normal @ sun
    sky = 0.62 + 0.38 * normal[:, 2]
    glow = (looks["colour"] ** 2 * looks["glow"][:, None] * 1.5)[index]

    at = np.flatnonzero(kind == Kind.WALL)
    colour[at], glow[at] = _wall(colour[at], seed[at], u[at], z[at], pixel[at], normal[at], light[at])
    at = np.flatnonzero(kind == Kind.ROOF)
    rows = 0.5 + 0.5 * np.cos(z[at] * (2 * np.pi / 0.35))
    colour[at] *= (1 - 0.3 * rows * np.clip(1 - pixel[at] / 0.15, 0, 1))[:, None]
    at = np.flatnonzero(kind == Kind.FENCE)
    seam = cover((u[at] % 0.3) - 0.15, 0.05, pixel[at])
    colour[at] *= (1 - 0.6 * seam + 0.12 * (noise.draw(u[at] / 0.3, seed[at]) - 0.5))[:, None]
    at = np.flatnonzero(kind == Kind.GLASS)
    colour[at] += (0.05 + 0.05 * np.maximum(normal[at, 2], 0))[:, None] * np.float32([0.8, 0.9, 1.0])
    at = np.flatnonzero((kind == Kind.LEAVES) | (kind == Kind.HEDGE))
    _leaves(colour, sky, at, seed[at], u[at], along[at], z[at], pixel[at])

    at = np.flatnonzero(kind >= Kind.LEAVES)
    size = np.linalg.norm(along[at], axis=1)
    t = np.clip(u[at], -1, 1)
    w = np.where(kind[at] == Kind.LEAVES, np.clip(offset[at, 2] * size, -1, 1), 0)
    toward = np.sqrt(np.maximum(1 - t**2 - w**2, 0.05))
    side = (along[at] / np.maximum(size, 1e-6)[:, None]) @ sun
    light[at] = t * side + w * sun[2] + toward * light[at]
    sky[at] *= 0.8 + 0.35 * w
    sky *= np.clip(0.72 + 0.28 * z, 0.72, 1)
    return colour, np.maximum(light, 0), sky, glow


def _leaves(colour, sky, at, seed, u, along, z, pixel):
    size = np.maximum(np.linalg.norm(along, axis=1), 1e-6)
    a, b = u / size + seed * 0.37, z + seed * 0.11
    fine = np.clip(1 - pixel / 0.5, 0, 1)
    clumps, leaves = noise.smooth(a * 0.16, b * 0.16), noise.draw(a * 9, b * 9) - 0.5
    shade = np.clip(1 + 0.3 * clumps + 0.55 * leaves * fine, 0.3, 2.0)
    colour[at] *= shade[:, None]
    sky[at] *= np.clip(0.75 + 0.2 * clumps, 0.4, 1)


def _wall(colour, seed, u, z, pixel, normal, light):
    """A front with windows, a door here and there, and in some houses a shop on the ground floor."""
    bay, storey = np.floor(u / BAY), np.floor(z / STOREY)
    across = pixel / np.maximum(np.abs(normal[:, 0]), 0.15) ** 0.5
    x, y = np.abs(u - (bay + 0.5) * BAY), z - storey * STOREY
    shop = (seed % 3 == 0) & (storey == 0)
    door = (storey == 0) & ~shop & ((bay + seed) % 4 == 0)
    half = np.where(shop, 1.0, np.where(door, 0.46, 0.5))
    low, high = (
        np.where(shop, 0.5, np.where(door, 0.05, 0.95)),
        np.where(shop, 2.35, np.where(door, 2.1, 2.35)),
    )
    middle, tall = (low + high) / 2, high - low
    inner = cover(x, 2 * half, across) * cover(y - middle, tall, pixel)
    outer = cover(x, 2 * half + 0.24, across) * cover(y - middle, tall + 0.24, pixel)
    bar = np.maximum(cover(x, 0.07, across), cover(y - middle, 0.07, pixel)) * ~shop * ~door

    chance = noise.draw(bay * 7 + seed, storey * 5 + (seed >> 4))
    glass = (0.02 + 0.10 * chance + 0.07 * y / STOREY)[:, None] * np.float32([0.85, 0.95, 1.1])
    painted = noise.draw(seed, bay)[:, None] * np.float32([0.25, 0.1, 0.12]) + np.float32([0.03, 0.06, 0.1])
    glass = np.where(door[:, None], painted, glass)
    stain = 1 + 0.08 * noise.smooth(u * 0.11 + seed * 0.7, z * 0.11) - 0.18 * (z < 0.45)
    course = cover(y - 0.15, 0.16, pixel) * (storey > 0)
    colour = colour * (stain + 0.25 * course)[:, None]
    frame = np.float32([0.55, 0.54, 0.5])
    sign = (shop & (y > 2.45) & (y < 2.95))[:, None]
    band = noise.draw(seed + 3, seed)[:, None] * np.float32([0.35, 0.05, 0.05]) + np.float32(
        [0.02, 0.12, 0.16]
    )
    colour = np.where(sign, band, colour)
    colour = colour + (frame - colour) * outer[:, None]
    colour = colour + (glass - colour) * (inner * (1 - bar))[:, None]
    lit = ((chance > 0.62) | shop) & ~door
    glow = LAMPLIGHT * (inner * (1 - bar) * lit * (0.25 + 0.5 * chance))[:, None]
    return colour, glow
