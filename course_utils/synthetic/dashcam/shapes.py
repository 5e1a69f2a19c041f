"""What the world is built of: quads, ribbons (flat strips that turn to face the camera) and discs, each with a look."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np


class Label(IntEnum):
    """The 11 classes of CamVid as SegNet's authors grouped them, and what is not scored."""

    SKY = 0
    BUILDING = 1
    POLE = 2
    ROAD = 3
    PAVEMENT = 4
    TREE = 5
    SIGN = 6
    FENCE = 7
    CAR = 8
    PEDESTRIAN = 9
    BICYCLIST = 10
    UNLABELLED = 11


class Kind(IntEnum):
    """How a surface is painted. Kinds from ``FENCE`` on are seen from both sides."""

    PLAIN = 0
    WALL = 1
    ROOF = 2
    GLASS = 3
    HEDGE = 4
    FENCE = 5
    LEAVES = 6
    ROUND = 7


LOOK = np.dtype(
    [("label", "u1"), ("kind", "u1"), ("track", "i4"), ("seed", "i4"), ("glow", "f4"), ("colour", "f4", 3)]
)
CORNERS = 16  # of a disc
_ANGLES = np.arange(CORNERS) * (2 * np.pi / CORNERS)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)
_LUMPS = np.random.default_rng(2).uniform(0.78, 1.12, (64, CORNERS))  # outlines of leaves


class Shapes:
    """A list of shapes under construction; points are (x, y, z) in m, colours RGB in 0 to 1 as a screen shows them.

    >>> shapes = Shapes(Label.CAR)
    >>> shapes.box((-2, 2), (-1, 1), (0, 1), "#ff0000")
    >>> shapes.solid().tracked(7).quad_looks["track"].tolist()
    [7, 7, 7, 7, 7]
    """

    def __init__(self, label: Label):
        self.label = label
        self._quads, self._ribbons, self._discs = [], [], []
        self._looks = {"quads": [], "ribbons": [], "discs": []}

    def quad(self, a, b, c, d, colour, kind=Kind.PLAIN, seed=0, glow=0.0, label=None) -> None:
        """A flat polygon, its corners anticlockwise as seen from outside; a triangle repeats its last corner."""
        self._quads.append((a, b, c, d))
        self._note("quads", colour, kind, seed, glow, label)

    def box(self, x, y, z, colour, kind=Kind.PLAIN, seed=0, top=None) -> None:
        """The four sides and the top of a box that reaches from x[0] to x[1], and so on; ``top`` is the top's colour."""
        (x0, x1), (y0, y1), (z0, z1) = x, y, z
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            self.quad((ax, ay, z0), (bx, by, z0), (bx, by, z1), (ax, ay, z1), colour, kind, seed)
        self.quad(*[(cx, cy, z1) for cx, cy in corners], top or colour)

    def ribbon(self, p, q, width, colour, end=None, kind=Kind.ROUND, glow=0.0, label=None) -> None:
        """A strip from ``p`` to ``q`` that faces the camera: ``width`` m wide at p and ``end`` m (the same) at q."""
        self._ribbons.append((*p, *q, width, width if end is None else end))
        self._note("ribbons", colour, kind, 0, glow, label)

    def disc(
        self, centre, radius, colour, axis=(0, 0), kind=Kind.PLAIN, seed=0, glow=0.0, label=None
    ) -> None:
        """An upright disc that contains the horizontal direction ``axis``; (0, 0) faces the camera."""
        self._discs.append((*centre, radius, *axis))
        self._note("discs", colour, kind, seed, glow, label)

    def solid(self) -> Solid:
        """The shapes as arrays."""
        looks = {name: np.array(rows, LOOK) for name, rows in self._looks.items()}
        return Solid(
            np.array(self._quads, np.float64).reshape(-1, 4, 3),
            np.array(self._ribbons, np.float64).reshape(-1, 8),
            np.array(self._discs, np.float64).reshape(-1, 6),
            looks["quads"],
            looks["ribbons"],
            looks["discs"],
        )

    def _note(self, name, colour, kind, seed, glow, label):
        label = self.label if label is None else label
        self._looks[name].append((label, kind, 0, seed, glow, rgb(colour)))


@dataclass(frozen=True)
class Solid:
    """Shapes as arrays: ``quads`` (n, 4, 3), ``ribbons`` (n, 8: p, q, two widths), ``discs`` (n, 6: centre, radius, axis)."""

    quads: np.ndarray
    ribbons: np.ndarray
    discs: np.ndarray
    quad_looks: np.ndarray
    ribbon_looks: np.ndarray
    disc_looks: np.ndarray

    def tracked(self, track: int, lit: bool = True) -> Solid:
        """The same shapes as those of one actor, with its lights on or off."""
        looks = [looks.copy() for looks in (self.quad_looks, self.ribbon_looks, self.disc_looks)]
        for array in looks:
            array["track"] = track
            array["glow"] *= lit
        return Solid(self.quads, self.ribbons, self.discs, *looks)

    def moved(self, x: float, y: float, heading: float) -> Solid:
        """The same shapes turned by ``heading`` (radians, to the left) about the origin, then shifted to (x, y)."""
        return place([self], np.array([[x, y, heading]]))

    def seen_from(self, x: float, y: float, heading: float) -> Solid:
        """The same shapes in the frame of a vehicle at (x, y) that points along ``heading``: the inverse of ``moved``."""
        c, s = np.cos(heading), np.sin(heading)
        return self.moved(-x * c - y * s, x * s - y * c, -heading)

    def ahead(self, x: float, y: float, heading: float, distance: float) -> Solid:
        """Only what begins at most ``distance`` m ahead of (x, y), seen along ``heading``, or up to 20 m behind."""
        along = np.array([np.cos(heading), np.sin(heading)])
        points = (self.quads[:, 0, :2], self.ribbons[:, :2], self.discs[:, :2])
        keep = [np.abs((p - [x, y]) @ along - distance / 2 + 10) < distance / 2 + 10 for p in points]
        arrays = [self.quads, self.ribbons, self.discs, self.quad_looks, self.ribbon_looks, self.disc_looks]
        return Solid(*[array[mask] for array, mask in zip(arrays, keep + keep, strict=True)])

    def polygons(self, height: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Polygons as a camera ``height`` m above the origin sees them: for each group of equal length the corners (n, k, 3),
        the looks (n,), a point to measure from (n, 3) and a direction (n, 3) along the surface, of length 1/radius for discs, 2/width for ribbons.
        """
        along = self.quads[:, 1] - self.quads[:, 0]
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        p, q = self.ribbons[:, :3], self.ribbons[:, 3:6]
        side = np.cross(q - p, p + q - [0, 0, 2 * height])
        side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
        a, b = side * self.ribbons[:, 6:7] / 2, side * self.ribbons[:, 7:8] / 2
        strips = np.stack([p - a, p + a, q + b, q - b], 1)
        centre, radius, axis = self.discs[:, :3], self.discs[:, 3:4], self.discs[:, 4:]
        facing = np.stack([centre[:, 1], -centre[:, 0]], -1)
        axis = np.where(np.any(axis != 0, 1, keepdims=True), axis, facing)
        axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
        right = np.concatenate([axis, np.zeros_like(radius)], 1)
        leaves = (self.disc_looks["kind"] == Kind.LEAVES)[:, None]
        r = radius * np.where(leaves, _LUMPS[self.disc_looks["seed"] % len(_LUMPS)], 1.0)
        discs = centre[:, None] + (r * _CIRCLE[:, 0])[..., None] * right[:, None]
        discs[..., 2] += r * _CIRCLE[:, 1]
        return [
            (self.quads, self.quad_looks, self.quads[:, 0], along),
            (strips, self.ribbon_looks, p, side / np.maximum(self.ribbons[:, 6:7] / 2, 1e-3)),
            (discs, self.disc_looks, centre, right / np.maximum(radius, 1e-3)),
        ]


def join(solids: list[Solid]) -> Solid:
    """All shapes of several solids in one."""
    arrays = [np.concatenate([getattr(s, name) for s in solids]) for name in ("quads", "ribbons", "discs")]
    for name in ("quad_looks", "ribbon_looks", "disc_looks"):  # as bytes: NumPy is slow to join records
        looks = np.concatenate([getattr(s, name).view(np.uint8) for s in solids])
        arrays.append(looks.view(LOOK))
    return Solid(*arrays)


def place(solids: list[Solid], poses: np.ndarray) -> Solid:
    """All shapes in one, each solid turned by its heading and shifted: ``poses`` (n, 3) holds x, y and heading."""
    whole = join(solids) if len(solids) > 1 else solids[0]
    quads, ribbons, discs = whole.quads.copy(), whole.ribbons.copy(), whole.discs.copy()
    c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    turns, shifts = np.stack([c, s, -s, c], 1).reshape(-1, 2, 2), poses[:, None, :2]
    for array, parts in (
        (quads, ((0, 2, 1),)),
        (ribbons, ((0, 2, 1), (3, 5, 1))),
        (discs, ((0, 2, 1), (4, 6, 0))),
    ):
        name = "quads" if array is quads else "ribbons" if array is ribbons else "discs"
        who = np.repeat(np.arange(len(solids)), [len(getattr(solid, name)) for solid in solids])
        rows = array if array.ndim == 3 else array[:, None]
        for first, last, moves in parts:
            rows[..., first:last] = rows[..., first:last] @ turns[who] + moves * shifts[who]
    return Solid(quads, ribbons, discs, whole.quad_looks, whole.ribbon_looks, whole.disc_looks)


def tint(amount: np.ndarray, colour) -> np.ndarray:
    """``amount`` (...) times a colour: (..., 3) float32. NumPy's own broadcasting over a last axis of three is ten times slower.

    >>> tint(np.float32([0, 2]), (1, 0.5, 0)).tolist()
    [[0.0, 0.0, 0.0], [2.0, 1.0, 0.0]]
    """
    out = np.empty((*amount.shape, 3), np.float32)
    for channel, part in enumerate(colour):
        np.multiply(amount, np.float32(part), out=out[..., channel], casting="same_kind")
    return out


def triple(amount: np.ndarray) -> np.ndarray:
    """``amount`` (...) three times over: (..., 3) float32."""
    if not amount.size:
        return np.empty((*amount.shape, 3), np.float32)
    return cv2.merge([amount] * 3).reshape(*amount.shape, 3)  # of one axis OpenCV 4 makes two


def rgb(colour) -> tuple[float, float, float]:
    """A colour as three numbers in 0 to 1, from such a tuple or from ``#rrggbb``."""
    if isinstance(colour, str):
        return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return tuple(colour)
