"""Sections of nerve tissue as an electron microscope shows them: cells whose membranes touch, with exact labels.

The stand-in for the ISBI 2012 stack. Cells are tubes that cross the sections at a slant, so neighbouring sections are
alike; their outlines are those of a diagram of curved, weighted Voronoi cells (Aurenhammer, 1987). Inside lie what makes
the real task hard: mitochondria with a dark outline of their own, vesicles, faint membranes, dark thick junctions.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

SECTION = 512  # pixels a side of a whole section
CELLS = 120  # tubes through 512 × 512 pixels


def sections(first: int, count: int, size: int = SECTION, seed: int = 0):
    """Draw ``count`` sections of one stack, from the ``first``-th on, each a window of ``size`` × ``size`` pixels.

    Returns ``(images, masks, cells)``: (count, size, size) uint8 pictures; uint8 masks with 1 on a membrane; int32 tube
    numbers, from 1, with 0 on a membrane. The scale is that of the real stack at every ``size``: a smaller window shows
    fewer cells. A section depends on ``seed``, ``size`` and its number alone. Lesson 15.

    >>> images, masks, cells = sections(0, 2, size=64)
    >>> images.shape, images.dtype, sorted(set(masks.ravel().tolist())), bool(((cells == 0) == (masks == 1)).all())
    ((2, 64, 64), dtype('uint8'), [0, 1], True)
    """
    tissue = _Tissue(size, seed)
    drawn = [tissue.section(z) for z in range(first, first + count)]
    images, masks, cells = (np.stack(part) for part in zip(*drawn, strict=True))
    return images, masks, cells


class _Tissue:
    """What all sections of a stack share: the tubes, their courses, and the organelles in three dimensions."""

    def __init__(self, size: int, seed: int):
        random = np.random.default_rng((seed, size))
        self.size, self.seed = size, seed
        reach = size + 160  # tubes enter from beyond the border
        self.n = n = round(CELLS * (reach / SECTION) ** 2)
        self.seeds = _spread(random, n, reach) - 80
        self.course = random.normal(0, 3.0, (n, 2))
        self.wave = random.uniform(0, 2 * np.pi, n)
        angle, stretch = random.uniform(0, np.pi, n), np.exp(random.normal(0, 0.3, n))
        c, s = np.cos(angle), np.sin(angle)
        self.xx, self.xy, self.yy = (
            c * c / stretch + s * s * stretch,
            2 * c * s * (1 / stretch - stretch),
            s * s / stretch + c * c * stretch,
        )
        self.weight = 500 * random.gamma(0.9, 1.6, n)
        self.tone = random.normal(0, 7, n)
        self.warps = [_Drifting(random, size, 44, 1.6) for _ in range(2)]
        self.ripple = [_Drifting(random, size, 15, 1.2) for _ in range(2)]
        self.fields = {
            "thick": _Drifting(random, size, 16, 1.5),
            "junction": _Drifting(random, size, 26, 1.5),
            "faint": _Drifting(random, size, 24, 1.5),
            "shade": _Drifting(random, size, 90, 2.0),
        }
        area = (size / SECTION) ** 2
        self.mitochondria = self._scatter(random, round(130 * area), (11, 26), depth=5)
        self.vesicles = self._scatter(random, round(7000 * area), (3.0, 5.5), depth=0.6)

    def _scatter(self, random, n, radii, depth):
        """Ellipsoids (n, 7): row, column, section, two radii, angle, half their depth in sections."""
        place = random.uniform(0, self.size, (n, 2))
        z = random.uniform(-depth, 30 + depth, n)
        long = random.uniform(*radii, n)
        short = long * random.uniform(0.55, 0.95, n)
        return np.column_stack([place, z, long, short, random.uniform(0, np.pi, n), np.full(n, depth)])

    def section(self, z: int):
        """Picture, mask and cell numbers of section ``z``."""
        random = np.random.default_rng((self.seed, self.size, 1, z))
        cells = self._cells(z)
        edge = np.zeros(cells.shape, bool)
        edge[:, 1:] |= cells[:, 1:] != cells[:, :-1]
        edge[1:] |= cells[1:] != cells[:-1]
        distance = distance_transform_edt(~edge).astype(np.float32)
        junction = np.clip(self.fields["junction"](z) - 1.7, 0, 1)
        half = np.clip(2.6 + 0.8 * self.fields["thick"](z) + 8 * junction, 1.5, 8)
        mask = distance < half
        image = self._picture(z, random, cells, distance, half, junction)
        return image, mask.astype(np.uint8), np.where(mask, 0, cells + 1).astype(np.int32)

    def _cells(self, z):
        """The tube that each pixel belongs to: the smallest of n quadratic forms, at a warped place."""
        grid = np.arange(self.size, dtype=np.float32) - self.size / 2
        y, x = np.meshgrid(grid, grid, indexing="ij")
        y, x = (
            axis + 12 * warp(z) + 2.4 * ripple(z)
            for axis, warp, ripple in zip((y, x), self.warps, self.ripple, strict=True)
        )
        sy, sx = (self.seeds - self.size / 2 + self.course * (z - 14.5)).T
        w = self.weight * (1 + 0.5 * np.sin(self.wave + z / 5))
        a, b, c = self.xx, self.xy, self.yy
        lines, constant = (
            (-2 * a * sx - b * sy, -2 * c * sy - b * sx),
            a * sx**2 + b * sx * sy + c * sy**2 - w,
        )
        forms = np.stack([a, b, c, *lines, constant]).astype(np.float32)
        terms = np.stack([x * x, x * y, y * y, x, y, np.ones_like(x)], -1)
        return np.stack([(row @ forms).argmin(1) for row in terms])

    def _picture(self, z, random, cells, distance, half, junction):
        noise = lambda sigma: gaussian_filter(random.standard_normal(cells.shape, np.float32), sigma)  # noqa: E731
        image = 156 + self.tone[cells].astype(np.float32) + 9 * self.fields["shade"](z)
        image += 85 * noise(2.2) + 55 * noise(1.2)  # the grain of the cytoplasm
        inside = distance > half + 1
        self._organelles(image, z, cells, inside)
        contrast = np.clip(0.82 + 0.3 * self.fields["faint"](z), 0.4, 1.1)
        profile = np.exp(-0.5 * (distance / (0.7 * half)) ** 2)
        image -= (100 * contrast + 26 * junction) * profile * (1 + 0.8 * noise(1.5))
        image = gaussian_filter(image, 0.7) + 30 * noise(0.6)
        image += random.normal(0, 4)  # each section is stained and lit a little differently
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)

    def _organelles(self, image, z, cells, inside):
        """Darken mitochondria (filled, striped, with an outline) and vesicles (rings), each within its own cell."""
        for kind, bodies in (("mitochondrion", self.mitochondria), ("vesicle", self.vesicles)):
            for row, column, middle, long, short, angle, depth in bodies[
                np.abs(bodies[:, 2] - z) < bodies[:, 6]
            ]:
                shrink = np.sqrt(1 - ((middle - z) / depth) ** 2)
                reach = int(long) + 3
                y0, x0 = max(0, int(row) - reach), max(0, int(column) - reach)
                y1, x1 = (min(self.size, int(at) + reach + 1) for at in (row, column))
                window = np.s_[y0:y1, x0:x1]
                y, x = np.ogrid[window]
                u = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
                v = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
                radius = np.hypot(u / long, v / short) / max(shrink, 0.3)
                at_home = inside[window] & (cells[window] == cells[int(row), int(column)])
                if kind == "vesicle":
                    image[window] -= np.where(at_home, 62 * np.exp(-(((radius - 1) * short / 1.1) ** 2)), 0)
                elif at_home.mean() > 0.6:  # a mitochondrion needs room
                    body = np.clip((1.03 - radius) * short / 2, 0, 1) * (58 + 22 * np.cos(1.6 * u))
                    rim = 34 * np.exp(-(((radius - 1) * short / 1.8) ** 2))
                    image[window] -= np.where(at_home, body + rim, 0)


class _Drifting:
    """A smooth random field (size, size) of unit deviation that changes steadily from section to section."""

    def __init__(self, random, size: int, scale: float, pace: float):
        side = int(np.ceil(size / scale)) + 4
        gap = np.abs(np.arange(size)[:, None] / scale + 1.5 - np.arange(side))
        near, far = 2 / 3 - gap**2 * (1 - gap / 2), (2 - gap).clip(0) ** 3 / 6
        self.spline = np.where(gap < 1, near, far) / 0.692  # cubic B-splines, scaled to unit deviation
        self.parts = random.normal(0, 1, (2, side, side))
        self.phase, self.pace = random.uniform(0, 2 * np.pi, (side, side)), pace / 12

    def __call__(self, z: float) -> np.ndarray:
        turn = self.phase + self.pace * z
        knots = self.parts[0] * np.cos(turn) + self.parts[1] * np.sin(turn)
        return (self.spline @ knots @ self.spline.T).astype(np.float32)


def _spread(random, n: int, reach: float) -> np.ndarray:
    """(n, 2) places in a square, no two of them as close as chance would have it: the best of eight each."""
    places = random.uniform(0, reach, (1, 2))
    for _ in range(n - 1):
        tries = random.uniform(0, reach, (8, 2))
        gap = ((tries[:, None] - places[None]) ** 2).sum(-1).min(1)
        places = np.vstack([places, tries[gap.argmax()]])
    return places
