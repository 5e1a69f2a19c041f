"""The things in the street, each in its own frame: x ahead, y to the left, z up, its middle on the ground at the origin.

A number picks one of the many cars, people, trees and houses there are; the same number, the same thing.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from course_utils.synthetic.dashcam.shapes import Kind, Label, Shapes, Solid

PAINT = ("#b8bcc0", "#e6e6e2", "#23262b", "#7c1f22", "#1f3f77", "#5b6268", "#31543f", "#c9b037", "#8a9aa8")
BRICK = ("#a0654b", "#b07d5c", "#c8b89a", "#d9d2c3", "#8d5b4c", "#b9a58a", "#9c938a", "#cfc2ad")
TILES = ("#6b4a40", "#5a5550", "#7d5344", "#4d5058")
LEAF = ("#4f7a36", "#3f6b33", "#628a3b", "#6f7f35", "#35602f", "#8a8a3a")
RUBBER, GLASS, DARK = "#1b1c1e", "#2a333b", "#141517"


CARS, TREES, HOUSES, SIGNS, BINS = 96, 48, 64, 24, 3  # how many there are


@cache
def car(number: int) -> tuple[Solid, tuple[float, float, float]]:
    """A hatchback, an estate or a van; returns it with its length, width and height in m."""
    random = np.random.default_rng([number, 1])
    van = random.random() < 0.15
    estate = random.random() < 0.4
    length, width = (4.9, 1.9) if van else (4.5 if estate else 3.95, 1.74)
    belt, roof = (1.05, 2.05) if van else (0.86, 1.45)
    paint = random.choice(PAINT[:3] if van else PAINT)
    rear, front, half = -length / 2, length / 2, width / 2
    shapes = Shapes(Label.CAR)
    shapes.box((rear + 0.25, front - 0.25), (-half + 0.1, half - 0.1), (0.1, 0.3), DARK)
    shapes.box((rear, front), (-half, half), (0.28, belt), paint)
    base = (
        rear + 0.05,
        front - (1.0 if van else 1.15),
    )  # where the cabin stands on the body, and where its roof begins and ends
    top = (base[0] + (0.1 if van or estate else 0.45), base[1] - (0.45 if van else 0.75))
    _cabin(shapes, base, top, half - 0.03, half - 0.17, belt, roof, paint, van)
    for y in (-half + 0.24, half - 0.24):
        _upright(shapes, rear - 0.01, y, (0.18, 0.10), belt - 0.16, "#b3261e", -1, glow=0.35)
        _upright(shapes, front + 0.01, y, (0.2, 0.08), belt - 0.2, "#f3f1e6", 1, glow=1.0)
    _upright(shapes, rear - 0.012, 0, (0.27, 0.06), 0.52, "#d9b740", -1)
    _upright(shapes, front + 0.012, 0, (0.27, 0.06), 0.42, "#e8e8e4", 1)
    _upright(shapes, front + 0.011, 0, (0.45, 0.09), 0.6, DARK, 1)
    for x in (rear + 0.75, front - 0.78):
        for y in (-half - 0.01, half + 0.01):
            outward = (1, 0) if y < 0 else (-1, 0)
            shapes.disc((x, y, 0.33), 0.33, RUBBER, outward)
            shapes.disc((x, y * 1.012, 0.33), 0.19, "#8d9195", outward)
    return shapes.solid(), (length, width, roof)


def _cabin(shapes, base, top, wide, narrow, belt, roof, paint, van):
    """Roof, four sloping sides, and the panes let into them."""
    lower = [(base[0], -wide), (base[1], -wide), (base[1], wide), (base[0], wide)]
    upper = [(top[0], -narrow), (top[1], -narrow), (top[1], narrow), (top[0], narrow)]
    low, high = [np.array([*c, belt]) for c in lower], [np.array([*c, roof]) for c in upper]
    shapes.quad(*high, paint)
    for i in range(4):
        a, b, c, d = low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]
        shapes.quad(a, b, c, d, paint)
        out = np.cross(b - a, d - a)
        out *= 0.015 / np.linalg.norm(out)
        sideways = i in (0, 2)
        panes = [(0.05, 0.44), (0.49, 0.95)] if sideways else [(0.07, 0.93)]
        if van and sideways:
            panes = [(0.7, 0.96)] if i == 0 else [(0.04, 0.3)]
        for u0, u1 in panes:
            pane = [
                a + (b - a) * u + (d - a + (c - b - d + a) * u) * v + out
                for u, v in ((u0, 0.1), (u1, 0.1), (u1, 0.86), (u0, 0.86))
            ]
            shapes.quad(*pane, GLASS, Kind.GLASS)


def _upright(shapes, x, y, half, z, colour, ahead, glow=0.0, label=None):
    """A plate across the direction of travel that faces forward (``ahead`` 1) or back (-1)."""
    w, h = half[0] * ahead, half[1]
    corners = [(x, y - w, z - h), (x, y + w, z - h), (x, y + w, z + h), (x, y - w, z + h)]
    shapes.quad(*corners, colour, glow=glow, label=label)


@cache
def tree(number: int) -> Solid:
    """A tree 5 to 9 m high: a trunk and a crown of leafy balls."""
    random = np.random.default_rng([number, 4])
    height, spread, leaf = random.uniform(5, 9), random.uniform(1.3, 2.2), random.choice(LEAF)
    shapes = Shapes(Label.TREE)
    shapes.ribbon((0, 0, 0), (0, 0, height * 0.6), 0.36, "#5b4a3b", 0.2)
    for _ in range(6):
        angle, out = random.uniform(0, 2 * np.pi), spread * np.sqrt(random.random())
        z = height * random.uniform(0.45, 0.9)
        centre = (out * np.cos(angle), out * np.sin(angle), z)
        shapes.disc(
            centre, random.uniform(0.65, 1.0) * spread, leaf, kind=Kind.LEAVES, seed=random.integers(1 << 16)
        )
    return shapes.solid()


@cache
def house(number: int, width: float, flat: bool) -> Solid:
    """A building whose front, ``width`` m wide, looks along -y: with a gabled roof, or ``flat`` and up to five storeys high."""
    random = np.random.default_rng([number, 5])
    depth, storeys = random.uniform(7, 10), random.integers(3, 6) if flat else random.integers(2, 4)
    eaves, x, wall = storeys * 3.0 + 0.4, (-width / 2, width / 2), random.choice(BRICK)
    seed = int(random.integers(1 << 16))
    shapes = Shapes(Label.BUILDING)
    shapes.box(x, (0, depth), (0, eaves), wall, Kind.WALL, seed, top="#6a6a68")
    if flat:
        shapes.box((x[0] - 0.15, x[1] + 0.15), (-0.15, depth), (eaves, eaves + 0.4), darker(wall))
        return shapes.solid()
    ridge, tiles = eaves + random.uniform(1.8, 2.8), random.choice(TILES)
    for y0, y1 in ((-0.3, depth / 2), (depth + 0.3, depth / 2)):
        a, b = (x[0], y0, eaves - 0.15), (x[1], y0, eaves - 0.15)
        c, d = (x[1], y1, ridge), (x[0], y1, ridge)
        shapes.quad(*((a, b, c, d) if y0 < y1 else (b, a, d, c)), tiles, Kind.ROOF, seed)
    for end, (y0, y1) in zip(x, ((depth, 0), (0, depth)), strict=True):
        top = (end, depth / 2, ridge)
        shapes.quad((end, y0, eaves), (end, y1, eaves), top, top, wall)
    at = random.uniform(x[0] + 0.8, x[1] - 0.8)
    shapes.box((at - 0.35, at + 0.35), (depth / 2 - 0.3, depth / 2 + 0.3), (ridge - 0.6, ridge + 0.9), wall)
    return shapes.solid()


@cache
def lamp_post() -> Solid:
    """A street lamp 6.8 m high whose arm reaches 1.6 m towards -y."""
    shapes = Shapes(Label.POLE)
    shapes.ribbon((0, 0, 0), (0, 0, 6.6), 0.2, "#5f666b", 0.12)
    shapes.ribbon((0, 0, 6.6), (0, -1.6, 6.85), 0.1, "#5f666b")
    shapes.ribbon((0, -1.1, 6.82), (0, -1.8, 6.9), 0.2, "#b9bcb8", glow=1.6)
    return shapes.solid()


@cache
def road_sign(number: int) -> Solid:
    """A traffic sign on its post, or a direction board on two; the front looks along -x."""
    random = np.random.default_rng([number, 6])
    shapes = Shapes(Label.SIGN)
    toward, away = (0, -1), (0, 1)
    if random.random() < 0.35:
        colour = random.choice(("#1d4f91", "#2c6b3f"))
        for y in (-0.75, 0.75):
            shapes.ribbon((0, y, 0), (0, y, 2.3), 0.1, "#7c8184", label=Label.POLE)
        _upright(shapes, -0.03, 0, (1.1, 0.65), 2.35, "#f0f0ec", -1)
        _upright(shapes, -0.05, 0, (1.03, 0.58), 2.35, colour, -1)
        _upright(shapes, 0.03, 0, (1.1, 0.65), 2.35, "#85898c", 1)
        for z, w in ((2.6, 0.6), (2.35, 0.75), (2.1, 0.45)):
            _upright(shapes, -0.07, 0.2 * (0.75 - w), (w, 0.07), z, "#f0f0ec", -1)
        return shapes.solid()
    shapes.ribbon((0, 0, 0), (0, 0, 2.5), 0.09, "#7c8184", label=Label.POLE)
    shapes.disc((0.04, 0, 2.6), 0.42, "#85898c", away)
    ring, inside = (("#c1272d", "#f4f4f0"), ("#1d4f91", "#1d4f91"))[int(random.random() < 0.3)]
    shapes.disc((-0.04, 0, 2.6), 0.42, ring, toward)
    shapes.disc((-0.06, 0, 2.6), 0.31, inside, toward)
    _upright(shapes, -0.08, 0, (0.15, 0.13), 2.6, "#202226" if inside == "#f4f4f0" else "#f4f4f0", -1)
    return shapes.solid()


@cache
def beacon() -> Solid:
    """The striped post with a yellow ball that marks a zebra crossing in Britain."""
    shapes = Shapes(Label.POLE)
    for i in range(6):
        colour = ("#1d1e20", "#eeeeea")[i % 2]
        shapes.ribbon((0, 0, 0.4 * i), (0, 0, 0.4 * i + 0.4), 0.13, colour)
    shapes.disc((0, 0, 2.62), 0.24, "#f2a51e", kind=Kind.ROUND, glow=1.0, label=Label.SIGN)
    return shapes.solid()


def fence(seed: int, length: float, height: float) -> Solid:
    """A board fence along x."""
    shapes = Shapes(Label.FENCE)
    colour = ("#8a6b4a", "#6f5a44", "#5d6b58", "#a08a68", "#d8d6cc")[seed % 5]
    a, b = (-length / 2, 0, 0), (length / 2, 0, 0)
    top = [(length / 2, 0, height), (-length / 2, 0, height)]
    shapes.quad(a, b, *top, colour, Kind.FENCE, seed)
    return shapes.solid()


def hedge(seed: int, length: float, height: float) -> Solid:
    """A hedge along x."""
    shapes = Shapes(Label.TREE)
    shapes.box((-length / 2, length / 2), (-0.4, 0.4), (0, height), LEAF[seed % len(LEAF)], Kind.HEDGE)
    return shapes.solid()


@cache
def litter_bin(number: int) -> Solid:
    """A bin on the pavement: one of the things that CamVid leaves unlabelled."""
    shapes = Shapes(Label.UNLABELLED)
    shapes.box((-0.3, 0.3), (-0.3, 0.3), (0, 1.05), ("#2f3b34", "#3a3f46", "#54402f")[number])
    return shapes.solid()


def bonnet() -> Solid:
    """The front of the car that carries the camera, in the vehicle's frame: unlabelled, as it is no part of the scene."""
    shapes = Shapes(Label.UNLABELLED)
    y = np.linspace(-0.95, 0.95, 9)
    x = 1.5 - 0.5 * (y / 0.95) ** 2
    for i in range(8):
        rim = [(x[i], y[i], 0.67), (x[i + 1], y[i + 1], 0.67)]
        shapes.quad((0.5, y[i], 0.67), *rim, (0.5, y[i + 1], 0.67), "#20242b", Kind.GLASS)
    return shapes.solid()


def darker(colour: str) -> tuple[float, ...]:
    """The same colour with less light, red, green and blue in 0 to 1."""
    return tuple(int(colour[i : i + 2], 16) / 255 * 0.82 for i in (1, 3, 5))
