"""The road's centre line, and the coordinates along it: s metres ahead on the line, d metres to its left."""

from __future__ import annotations

import numpy as np

STEP = 0.25  # metres between two points of the table
TURN = 0.9  # radians: the road never points further away from the world's x axis, so it cannot meet itself


class Road:
    """A smooth centre line of ``length`` m: straight stretches and curves whose curvature rises and falls as a cosine.

    >>> road = Road(np.random.default_rng(0), length=300)
    >>> point = road.place(np.array([120.0]), np.array([-3.0]))
    >>> s, d = road.locate(point, np.array([110.0]))
    >>> float(s[0].round(3)), float(d[0].round(3))
    (120.0, -3.0)
    """

    def __init__(self, random: np.random.Generator, length: float):
        self.length = length
        curvature, heading = [np.zeros(int(30 / STEP))], 0.0
        while sum(map(len, curvature)) * STEP < length:
            curvature.append(np.zeros(int(random.uniform(10, 60) / STEP)))
            turn = np.clip(random.choice([-1, 1]) * random.uniform(0.3, 1.0) + heading, -TURN, TURN) - heading
            span = max(random.uniform(40, 90), 90 * abs(turn))
            u = np.arange(0, span, STEP) / span
            curvature.append(turn / span * (1 - np.cos(2 * np.pi * u)))
            heading += turn
        self.curvature = np.concatenate(curvature)
        self.s = np.arange(len(self.curvature)) * STEP
        self.heading = np.cumsum(self.curvature) * STEP
        self.x = np.cumsum(np.cos(self.heading)) * STEP
        self.y = np.cumsum(np.sin(self.heading)) * STEP
        table = (self.x, self.y, np.cos(self.heading), np.sin(self.heading), self.curvature)
        self._table = [column.astype(np.float32) for column in table]

    def pose(self, s) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World x, y and heading (radians) of the centre line at ``s``."""
        return tuple(np.interp(s, self.s, values) for values in (self.x, self.y, self.heading))

    def place(self, s, d) -> np.ndarray:
        """The world points (..., 2) at ``s`` along the road and ``d`` to the left of its centre line."""
        x, y, heading = self.pose(s)
        return np.stack([x - d * np.sin(heading), y + d * np.cos(heading)], -1)

    def abreast(self, pose: np.ndarray, s: float, ahead: np.ndarray) -> np.ndarray:
        """Where on the road (N,) one is after ``ahead`` m (N,) along the heading of ``pose``: a first guess for ``locate``."""
        at = s + np.arange(-10.0, 320.0, 2.0)
        x, y, _ = self.pose(at)
        forward = (x - pose[0]) * np.cos(pose[2]) + (y - pose[1]) * np.sin(pose[2])
        return np.interp(ahead, np.maximum.accumulate(forward), at)

    def locate(self, points: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (s, d) of world ``points`` (N, 2), by Newton's steps from the first guess ``s`` (N,)."""
        last = len(self.x) - 1
        px, py = np.ascontiguousarray(points.T, np.float32)
        for _ in range(3):
            i = np.clip(s * (1 / STEP) + 0.5, 0, last).astype(np.int32)
            x, y, cos, sin, curvature = (column.take(i) for column in self._table)
            dx, dy = px - x, py - y
            d = dy * cos - dx * sin
            s = i * np.float32(STEP) + (dx * cos + dy * sin) / np.maximum(1 - curvature * d, 0.4)
        return s, d
