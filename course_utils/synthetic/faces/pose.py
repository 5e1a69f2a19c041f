"""Where a head is: from pixels to places on the face, and back."""

from __future__ import annotations

import numpy as np

CHIN = 1.25  # half height of the rounded body that the face is painted on, in half heights of a head
SMILE = 0.085  # how far a smile lifts the corners of the mouth
PROTRUDES = 0.22  # how far the tip of a deep nose stands out


class Pose:
    """The planes that parts are drawn with, each (N, H, W) float32, in half heights of a head.

    ``x, y``: in the head, upright. ``u, v``: on the face: the place where the point would be if the head looked straight
    ahead. The face is painted on a cylinder, so features far from the axis move less when the head turns. ``traits`` holds
    every trait and condition as (N, 1, 1).
    """

    def __init__(self, some: dict[str, np.ndarray], height: int, width: int):
        self.traits = t = {name: np.float32(values)[:, None, None] for name, values in some.items()}
        self.unit = np.float32(0.40 * height) * (1 + t["zoom"])
        self.middle = width / 2 - 0.5 + height * t["shift_x"], 0.53 * height + height * t["shift_y"]
        self.cos, self.sin = np.cos(t["roll"]), np.sin(t["roll"])
        right = (np.arange(width, dtype=np.float32) - self.middle[0]) / self.unit
        down = (np.arange(height, dtype=np.float32)[:, None] - self.middle[1]) / self.unit
        self.x, self.y = self.cos * right + self.sin * down, self.cos * down - self.sin * right
        self.u = _turned(self.x, 1.08 * t["head_width"], -t["yaw"])
        self.v = _turned(self.y, CHIN, -t["pitch"])

    def some(self, rows: np.ndarray) -> Pose:
        """The planes of some of the pictures."""
        part = object.__new__(Pose)
        part.traits = {name: values[rows] for name, values in self.traits.items()}
        for name in ("unit", "x", "y", "u", "v"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def soft(self, distance: np.ndarray) -> np.ndarray:
        """How much of each pixel lies inside an outline, from 0 to 1, by its signed distance (negative inside)."""
        inside = 0.5 - distance * self.unit
        return np.clip(inside, 0, 1, out=inside)

    def landmarks(self) -> np.ndarray:
        """Pixel coordinates (N, 5, 2) as x, y of eyes, tip of the nose and corners of the mouth; left is left in the picture."""
        t = {name: values[:, 0, 0] for name, values in self.traits.items()}
        tip = t["eye_y"] + t["nose_length"]
        wide, corner = mouth(t)
        u = np.stack([-t["eye_gap"], t["eye_gap"], 0 * tip, -wide, wide], 1)
        v = np.stack([t["eye_y"], t["eye_y"], tip, corner, corner], 1)
        x = _turned(u, 1.08 * t["head_width"][:, None], t["yaw"][:, None])
        x[:, 2] += PROTRUDES * t["nose_depth"] * np.sin(t["yaw"])
        y = _turned(v, CHIN, t["pitch"][:, None])
        cos, sin, unit = self.cos[:, 0], self.sin[:, 0], self.unit[:, 0]
        middle = [m[:, 0] if np.ndim(m) else m for m in self.middle]
        return np.stack([(cos * x - sin * y) * unit + middle[0], (sin * x + cos * y) * unit + middle[1]], 2)


def mouth(t) -> tuple[np.ndarray, np.ndarray]:
    """Half width of the mouth, and how far down its corners are: a smile widens and lifts them."""
    middle = t["eye_y"] + t["nose_length"] + t["mouth_y"]
    return t["mouth_width"] * (1 + 0.15 * t["smile"]), middle - SMILE * t["smile"]


def _turned(along: np.ndarray, radius, angle) -> np.ndarray:
    """Where a point of a cylinder is seen, ``along`` from its axis, after a turn by ``angle``."""
    depth = np.sqrt(np.clip(radius * radius - along * along, 0, None))
    return along * np.cos(angle) + depth * np.sin(angle)
