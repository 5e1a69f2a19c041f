"""Who moves: cars that follow one another and stop for people, cyclists at the edge, people on the pavement.

Cars accelerate by the intelligent driver model (M. Treiber, A. Hennecke and D. Helbing, 2000, Physical Review E 62).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from course_utils.synthetic.dashcam import models, people
from course_utils.synthetic.dashcam.road import STEP
from course_utils.synthetic.dashcam.shapes import Label, Solid
from course_utils.synthetic.dashcam.world import LANE, PAVEMENT, World

ACCELERATION, BRAKING, HEADWAY, STANDSTILL = 1.6, 2.2, 1.3, 3.0  # m/s², m/s², s, m
COMFORT = 1.8  # m/s² of sideways acceleration in a curve
AHEAD, BEHIND = 205.0, 40.0  # metres from the camera where somebody appears, and where they are given up


@dataclass
class Actor:
    """A car, a pedestrian or a bicyclist: ``s``, ``d`` and the ``course`` (radians against the road), ``speed`` in m/s."""

    track: int
    label: Label
    s: float
    d: float
    course: float
    speed: float
    wish: float
    look: int
    size: tuple[float, float, float]
    solid: Solid | None = None
    walked: float = 0.0

    def shape(self, distance: float) -> Solid:
        """The shapes of this actor at this moment, in its own frame; seen from up to 40 m a stride or a turn of the pedals has 16
        pictures, from further away it has 4.
        """
        if self.label == Label.CAR:
            return self.solid
        stride = 1.5 if self.label == Label.PEDESTRIAN else -2.2
        n = 16 if distance < 40 else 4
        step = round(self.walked / stride * n) % n
        return _person(self.label, self.look, step * 16 // n).tracked(self.track)


@lru_cache(maxsize=1024)
def _person(label: Label, look: int, step: int) -> Solid:
    model = people.pedestrian if label == Label.PEDESTRIAN else people.bicyclist
    return model(look, step / 16 * 2 * np.pi)


class Traffic:
    """Everybody in a world, the camera's own car included (``ego``, an :class:`Actor` that is not drawn)."""

    def __init__(self, world: World, random: np.random.Generator):
        self.world, self.random = world, random
        self.tracks, self.time = itertools.count(1), 0.0
        own = LANE * (world.lanes - 0.5)
        self.ego = self._car(40.0, own, 1, random.uniform(10.5, 13.0))
        self.ego.track, self.sway = 0, random.uniform(0, 2 * np.pi, 2)
        self._steer()
        self.cars = [self._car(40 + 24 * k + random.uniform(0, 12), own, 1, 10.0) for k in (1, 3)]
        self.cars += [
            self._car(
                60 + 45 * k + random.uniform(0, 25),
                -LANE * (k % world.lanes + 0.5),
                -1,
                random.uniform(8, 12),
            )
            for k in range(5)
        ]
        if world.lanes == 2:
            self.cars += [self._car(30 + 70 * k, LANE / 2, 1, random.uniform(11, 14)) for k in range(3)]
        self.parked = [self._parked(*spot) for spot in world.parked]
        edge = world.lanes * LANE + 0.15
        self.cyclists = [
            self._person(
                Label.BICYCLIST, 40 + 45 * (k + random.random()), (edge, -edge)[k % 2], (1, -1)[k % 2]
            )
            for k in range(4)
        ]
        self.walkers = [
            self._person(
                Label.PEDESTRIAN,
                45 + 12 * (k + random.random()),
                random.choice([-1, 1]) * (world.half + random.uniform(0.9, PAVEMENT - 0.6)),
                random.choice([-1, 1]),
            )
            for k in range(16)
        ]
        self.crossers = [
            (self._person(Label.PEDESTRIAN, s + random.uniform(-0.8, 0.8), 0.0, 1), random.uniform(0, 50))
            for s in world.crossings
            for _ in range(2)
        ]
        self._cross()

    def step(self, dt: float) -> None:
        """Move everybody on by ``dt`` seconds."""
        self.time += dt
        self._cross()
        cars = [self.ego, *self.cars]
        pulls = [self._pull(car, cars) for car in cars]
        for car, pull in zip(cars, pulls, strict=True):
            car.speed = max(car.speed + pull * dt, 0.0)
            self._advance(car, dt)
        self._steer()
        for actor in (*self.cyclists, *self.walkers):
            self._advance(actor, dt)
            actor.walked += actor.speed * dt
        for actor in (*self.cars, *self.cyclists, *self.walkers):
            if actor.s < self.ego.s - BEHIND:
                self._return(actor)

    def near(self, cars: float, people: float) -> list[Actor]:
        """The cars and the people up to so many metres ahead along the road, and those beside the camera."""
        everybody = (*self.cars, *self.parked, *self.cyclists, *self.walkers, *(a for a, _ in self.crossers))
        reach = {Label.CAR: cars, Label.PEDESTRIAN: people, Label.BICYCLIST: people}
        return [actor for actor in everybody if -12 < actor.s - self.ego.s < reach[actor.label]]

    def poses(self, actors: list[Actor]) -> np.ndarray:
        """World x, y and heading of actors, (n, 3)."""
        s, d, course = (np.array([getattr(actor, name) for actor in actors]) for name in ("s", "d", "course"))
        return np.column_stack([self.world.road.place(s, d), self.world.road.pose(s)[2] + course])

    def _advance(self, actor: Actor, dt: float) -> None:
        """Move on along the road: in a curve the inner lane is shorter than the line in the middle."""
        actor.s += float(np.cos(actor.course)) * actor.speed * dt / (1 - self._curvature(actor) * actor.d)

    def _curvature(self, actor: Actor) -> float:
        curvature = self.world.road.curvature
        return float(curvature[min(int(actor.s / STEP), len(curvature) - 1)])

    def _steer(self) -> None:
        """Let the camera's car sway in its lane, as drivers do: by up to 0.3 m, in waves 40 and 95 m long."""
        waves = 2 * np.pi * self.ego.s / np.array([95.0, 40.0]) + self.sway
        self.ego.d = LANE * (self.world.lanes - 0.5) + float(np.sin(waves) @ [0.22, 0.08])
        slope = float(np.cos(waves) @ (2 * np.pi * np.array([0.22 / 95, 0.08 / 40])))
        self.ego.course = np.arctan(slope / (1 - self._curvature(self.ego) * self.ego.d))

    def _pull(self, car: Actor, cars: list[Actor]) -> float:
        """The acceleration of one car in m/s²: towards its wish, away from the nearest obstacle in its lane."""
        ahead = np.sign(np.cos(car.course))
        wish = min(car.wish, np.sqrt(COMFORT / max(abs(self._curvature(car)), 1e-4)))
        if car is self.cars[0]:
            wish *= 0.72 + 0.28 * np.sin(0.35 * self.time + self.sway[0])
        gaps = [
            (ahead * (other.s - car.s) - (car.size[0] + other.size[0]) / 2, other.speed)
            for other in cars
            if other is not car and abs(other.d - car.d) < 1.5 and ahead * (other.s - car.s) > 0
        ]
        for actor, _ in self.crossers:
            gap = ahead * (actor.s - car.s) - car.size[0] / 2 - 2.5
            if abs(actor.d - car.d) < 1.3 * LANE and gap > car.speed**2 / 9 - 2:
                gaps.append((gap, 0.0))
        pull = ACCELERATION * (1 - (car.speed / wish) ** 4)
        if gaps:
            gap, speed = min(gaps)
            closing = car.speed * (car.speed - speed) / (2 * np.sqrt(ACCELERATION * BRAKING))
            desired = STANDSTILL + max(car.speed * HEADWAY + closing, 0)
            pull -= ACCELERATION * (desired / max(gap, 0.5)) ** 2
        return max(pull, -7.0)

    def _cross(self) -> None:
        """Put the people at the crossings where they are now: over, a pause, back, a pause, 50 s in all."""
        reach = self.world.half + 1.2
        for actor, offset in self.crossers:
            clock = (self.time + offset) % 50
            walk = np.clip([clock * 1.4, (clock - 25) * 1.4], 0, 2 * reach)
            actor.d = float(reach - walk[0] + walk[1])
            actor.course = -np.pi / 2 if clock < 25 else np.pi / 2
            actor.walked = float(walk.sum())
            actor.speed = 1.4 if 0 < walk[int(clock >= 25)] < 2 * reach else 0.0

    def _return(self, actor: Actor) -> None:
        """Whoever has fallen behind comes back far ahead as somebody else, with a new track."""
        actor.s = self.ego.s + AHEAD + self.random.uniform(0, 40)
        actor.look, actor.track = int(self.random.integers(1 << 16)), next(self.tracks)
        if actor.label == Label.CAR:
            solid, actor.size = models.car(actor.look % models.CARS)
            actor.solid, actor.speed = solid.tracked(actor.track), actor.wish

    def _car(self, s, d, ahead, wish) -> Actor:
        track, course = next(self.tracks), 0.0 if ahead > 0 else np.pi
        look = int(self.random.integers(models.CARS))
        solid, size = models.car(look)
        return Actor(track, Label.CAR, s, d, course, wish * 0.8, wish, look, size, solid.tracked(track))

    def _parked(self, s, d, look) -> Actor:
        track, course = next(self.tracks), 0.0 if d > 0 else np.pi
        solid, size = models.car(look)
        return Actor(track, Label.CAR, s, d, course, 0.0, 0.0, look, size, solid.tracked(track, lit=False))

    def _person(self, label, s, d, ahead) -> Actor:
        speed = self.random.uniform(3.5, 5.0) if label == Label.BICYCLIST else self.random.uniform(1.0, 1.6)
        size = (1.75, 0.55, 1.75) if label == Label.BICYCLIST else (0.6, 0.55, 1.72)
        look = int(self.random.integers(1 << 16))
        return Actor(next(self.tracks), label, s, d, 0.0 if ahead > 0 else np.pi, speed, speed, look, size)
