"""The street that a drive goes through: what stands still, laid out block by block along the road.

Traffic keeps to the left, as in Cambridge, where CamVid was filmed: the lanes of the camera's car are at positive d.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from course_utils.synthetic.dashcam import models
from course_utils.synthetic.dashcam.road import Road
from course_utils.synthetic.dashcam.shapes import Solid, place

LANE = 3.0  # metres
GUTTER = 0.6  # metres between the lanes and the kerb
BAY = 1.7  # metres more where cars park
PAVEMENT = 3.8  # metres of it beside a parking bay, with its kerb; elsewhere it is a bay wider
SUN = np.radians(38)  # the sun's elevation by day
BLOCK = 36.0  # metres of road on which one side keeps its character
LAMP = 6.8  # metres: the height of a street lamp
ZEBRA = 3.4  # metres of road that a crossing takes
TERRACE, FLATS, HOUSES, PARK = range(4)
ZONES = {TERRACE: 0.34, FLATS: 0.2, HOUSES: 0.3, PARK: 0.16}


@dataclass
class World:
    """What stands still. ``zones`` (blocks, 2): the character of the left and the right side of each block of 36 m;
    ``crossings``: the s of each zebra crossing; ``kerb`` (points, 2): where the left and the right kerb are, half a metre of s from point to point, in m from the centre line; ``lamps`` (n, 3): world points; ``sun`` (3,): the direction to it;
    ``shadows`` (n, 12, 2): what it leaves dark.
    """

    road: Road
    lanes: int
    zones: np.ndarray
    crossings: np.ndarray
    kerb: np.ndarray
    solid: Solid
    parked: list[tuple[float, float, int]]
    lamps: np.ndarray
    shadows: np.ndarray
    sun: np.ndarray

    @property
    def half(self) -> float:
        """From the centre line to the far side of the parking bays, in metres."""
        return half_width(self.lanes)

    @property
    def markings(self) -> list[tuple[float, bool]]:
        """The lines along the road as (d, dashed): the edges, the centre, and what separates two lanes."""
        edge = self.lanes * LANE
        between = [LANE, -LANE] if self.lanes == 2 else []
        return [(edge, False), (-edge, False), (0.0, True), *[(d, True) for d in between]]


def half_width(lanes: int) -> float:
    """Metres from the centre line to the kerb behind parked cars, on a road with so many lanes in each direction."""
    return lanes * LANE + GUTTER + BAY


def build(seed: int, length: float) -> World:
    """The world of a seed, long enough for a drive of ``length`` m: the same seed and length, the same world."""
    random = np.random.default_rng([seed, 1])
    road = Road(random, length + 400)
    lanes = 1 if random.random() < 0.75 else 2
    blocks = int(len(road.x) * 0.25 / BLOCK)
    zones = random.choice(list(ZONES), (blocks, 2), p=list(ZONES.values()))
    crossings = BLOCK * (np.arange(2 + random.integers(3), blocks, 4) + 0.5)
    bearing = random.uniform(-np.pi, np.pi)
    sun = np.array([np.cos(bearing) * np.cos(SUN), np.sin(bearing) * np.cos(SUN), np.sin(SUN)])
    layout = _Layout(half_width(lanes), random)
    bays = random.random((blocks, 2)) < 0.4
    bays[(crossings / BLOCK).astype(int)] = False
    for block in range(blocks):
        for column, side in enumerate((1, -1)):
            layout.fill(block * BLOCK, side, zones[block, column], bays[block, column])
    for s in crossings:
        for side in (1, -1):
            layout.stand(models.beacon(), s - ZEBRA / 2 - 0.5, side, 0.4 - BAY)
    solids, s, d, turned = zip(*layout.things, strict=True)
    poses = np.column_stack([road.place(s, np.array(d)), road.pose(s)[2] + np.pi * np.array(turned)])
    s, d = np.array(layout.lamps).T
    lamps = np.column_stack([road.place(s, d), np.full(len(s), LAMP)])
    shadows = [outline for i, kind in layout.dark for outline in kind(solids[i].moved(*poses[i]), sun)]
    kerb = kerbs(half_width(lanes), bays)
    return World(
        road,
        lanes,
        zones,
        crossings,
        kerb,
        place(solids, poses),
        layout.parked,
        lamps,
        np.array(shadows),
        sun,
    )


def kerbs(half: float, bays: np.ndarray) -> np.ndarray:
    """Metres from the centre line to the kerbs (points, 2) float32, every half metre: a block without a bay (False) has its
    kerb nearer by ``BAY``, and 2 m of the road lead over from one to the other.
    """
    steps = np.repeat(bays.astype(np.float32), int(2 * BLOCK), axis=0)
    return np.float32(half - BAY) + BAY * cv2.blur(steps, (1, 5), borderType=cv2.BORDER_REPLICATE)


def cast(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The convex hull of two outlines (n, 2) on the ground, as a polygon (12, 2) whose last corner may repeat."""
    hull = cv2.convexHull(np.concatenate([low, high]).astype(np.float32))[:, 0]
    return hull[np.minimum(np.arange(12), len(hull) - 1)]


def _walls_shadow(house: Solid, sun: np.ndarray) -> list[np.ndarray]:
    walls, height = house.quads[:4, 0, :2], house.quads[0, 2, 2]
    return [cast(walls, walls - sun[:2] / sun[2] * height)]


def _crown_shadow(tree: Solid, sun: np.ndarray) -> list[np.ndarray]:
    x, y, z, radius = tree.discs[:3, :4, None].transpose(1, 0, 2)
    turn = np.arange(12) * (np.pi / 6)
    outlines = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], -1)
    return list(outlines - sun[:2] / sun[2] * z[..., None])


class _Layout:
    """Puts things beside the road: ``side`` is 1 (left) or -1, ``out`` the metres beyond the kerb."""

    def __init__(self, half: float, random: np.random.Generator):
        self.half, self.random = half, random
        self.things, self.parked, self.lamps, self.dark = [], [], [], []

    def stand(self, solid: Solid, s: float, side: int, out: float, turned: bool = False, shadow=None) -> None:
        """Place a solid; with ``turned`` its -y looks at the road from both sides; ``shadow`` gives the outline of its shadow."""
        if shadow:
            self.dark.append((len(self.things), shadow))
        self.things.append((solid, s, side * (self.half + out), turned and side < 0))

    def fill(self, start: float, side: int, zone: int, bay: bool) -> None:
        """Everything on one side of one block, with cars in its parking bay if it has one."""
        random, middle, kerb = self.random, start + BLOCK / 2, 0.0 if bay else -BAY
        self.stand(models.lamp_post(), middle - 14, side, kerb + 0.5, turned=True)
        self.lamps.append((middle - 14, side * (self.half + kerb - 0.9)))
        for s in (middle - 10, middle + 11):
            if random.random() < 0.6:
                self.stand(
                    models.road_sign(self._pick(models.SIGNS)), s + random.uniform(-3, 5), side, kerb + 0.8
                )
        if random.random() < 0.35:
            self.stand(
                models.litter_bin(self._pick(models.BINS)), middle + random.uniform(-9, 16), side, kerb + 0.8
            )
        for s in start + np.arange(4, BLOCK - 3, 6):
            if bay and random.random() < 0.75:
                self.parked.append((s, side * (self.half - 0.95), self._pick(models.CARS)))
        if zone in (TERRACE, FLATS):
            width = BLOCK / 2 if zone == FLATS else BLOCK / 4
            for s in start + np.arange(width / 2, BLOCK, width):
                self._house(s, side, width - 0.02, 0.2, zone == FLATS)
            for s in (middle - 6, middle + 8):
                if random.random() < 0.6:
                    self._tree(s + random.uniform(-2, 2), side, kerb + 0.9)
        elif zone == HOUSES:
            self._house(middle - 9, side, 9.5, 7.0, False)
            self._house(middle + 9, side, 9.5, 7.0, False)
            self._border(start, side)
            for s in (start + 1.5, middle + random.uniform(-2, 2)):
                self._tree(s, side, PAVEMENT + random.uniform(2, 9))
        else:
            self._border(start, side)
            for s in start + np.arange(3, BLOCK, 6):
                self._tree(s + random.uniform(-2, 2), side, PAVEMENT + random.uniform(2, 12))

    def _pick(self, n: int) -> int:
        return int(self.random.integers(n))

    def _house(self, s, side, width, back, flat):
        house = models.house(self._pick(models.HOUSES), width, flat)
        self.stand(house, s, side, PAVEMENT + back, turned=True, shadow=_walls_shadow)

    def _tree(self, s, side, out):
        self.stand(models.tree(self._pick(models.TREES)), s, side, out, shadow=_crown_shadow)

    def _border(self, start, side):
        kind, seed, height = self.random.random(), self._pick(1 << 16), self.random.uniform(0.9, 1.7)
        if kind < 0.95:
            model, out = (models.hedge, 0.5) if kind < 0.25 else (models.fence, 0.2)
            solid = model(seed, 4.0, height)
            for s in start + np.arange(2, BLOCK, 4):
                self.stand(solid, s, side, PAVEMENT + out)
