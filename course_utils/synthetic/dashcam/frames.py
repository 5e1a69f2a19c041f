"""Drives: frame after frame, the picture and everything that is true about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from course_utils.errors import CourseError
from course_utils.synthetic.dashcam.camera import Camera
from course_utils.synthetic.dashcam.conditions import Conditions, expose
from course_utils.synthetic.dashcam.raster import Faces, silhouette
from course_utils.synthetic.dashcam.shapes import Label
from course_utils.synthetic.dashcam.surfaces import PEOPLE, VIEW, Surfaces, look
from course_utils.synthetic.dashcam.traffic import Traffic
from course_utils.synthetic.dashcam.world import LANE, build

SMALLEST = 12  # pixels: with fewer to be seen, a thing is not listed
STEP = 0.1  # seconds: traffic moves on in steps of at most this length
CURVE = 0.15  # radians: a road that turns by more within 40 m is a curve


@dataclass(frozen=True)
class Thing:
    """A car, pedestrian or bicyclist that can be seen.

    ``box`` (x0, y0, x1, y1): the edges, in pixels from the top left corner, of its *visible* part; ``pixels``: how many
    it has; ``occlusion``: the share of its outline inside the picture that something nearer hides, 0 to 1 (what the
    edge of the picture cuts off does not count). ``position`` of its middle on the ground, ``heading``, and ``velocity`` relative
    to the camera's car: m, radians, m/s in the vehicle's frame; ``size``: length, width, height in m.
    """

    track: int
    label: Label
    box: tuple[int, int, int, int]
    pixels: int
    occlusion: float
    position: tuple[float, float]
    heading: float
    velocity: tuple[float, float]
    size: tuple[float, float, float]


@dataclass(frozen=True)
class Line:
    """A painted line along the road, ``d`` m to the left of the road's middle; ``bounds`` is ``left`` or ``right`` where it
    bounds the lane of the camera's car, else empty. ``ground`` (n, 2) m in the vehicle's frame, ``image`` (n, 2) pixels: the
    same points one by one, those inside the picture up to 60 m ahead, hidden or not.
    """

    d: float
    dashed: bool
    bounds: str
    ground: np.ndarray
    image: np.ndarray


@dataclass(frozen=True)
class Ego:
    """The camera's car: ``time`` s, world ``x``, ``y`` m and ``heading`` radians, ``speed`` m/s, ``turn_rate`` radians/s to the
    left, the mean since the frame before (in the first frame: speed times curvature); ``offset`` m to the left of the middle
    of its lane; ``curvature`` of the road in 1/m, left positive.
    """

    time: float
    x: float
    y: float
    heading: float
    speed: float
    turn_rate: float
    offset: float
    curvature: float


@dataclass(frozen=True)
class Frame:
    """One frame. ``image`` (H, W, 3) uint8; ``labels`` (H, W) uint8 by :class:`Label`; ``depth`` (H, W) float32 m along the optical
    axis, infinite for the sky; ``tracks`` (H, W) int32, the track seen at each pixel or 0. ``tags``: ``weather``, ``time_of_day``,
    ``curve`` (``left``, ``straight``, ``right``: where the road goes in the next 40 m) and ``crossing`` (a zebra within 40 m).
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    tracks: np.ndarray
    things: tuple[Thing, ...]
    lines: tuple[Line, ...]
    tags: dict
    ego: Ego
    camera: Camera


def drive(
    seed: int, frames: int = 100, size: tuple[int, int] = (180, 240), fps: float = 10.0, **conditions
) -> Iterator[Frame]:
    """The frames of one drive, one by one: the same arguments, the same frames.

    ``size``: (rows, columns); ``fps``: frames for each second of the drive; ``conditions``: the fields of
    :class:`~course_utils.synthetic.dashcam.conditions.Conditions`, such as ``weather="rain"``, ``time_of_day="night"``, which change the pictures and the tags
    and nothing else. Raises :class:`CourseError` for a wrong value.

    >>> first, second = drive(seed=3, frames=2, weather="fog")
    >>> first.image.shape, first.labels.dtype, first.tags["weather"], round(second.ego.time, 1)
    ((180, 240, 3), dtype('uint8'), 'fog', 0.1)
    """
    if not (frames > 0 and fps > 0):
        raise CourseError(f"frames={frames!r}, fps={fps!r} is not valid. Valid: both above 0.")
    camera, chosen = Camera(size=size), Conditions(**conditions)
    traffic = Traffic(build(seed, 14 * frames / fps), np.random.default_rng([seed, 2]))
    steps = int(np.ceil(1 / fps / STEP - 1e-9))
    heading = None
    for k in range(frames):
        surfaces, faces = look(traffic, camera)
        ego = _ego(traffic, heading, 1 / fps)
        heading = ego.heading
        picture = expose(
            surfaces, camera, chosen, (ego.speed, ego.turn_rate), np.random.default_rng([seed, 3, k])
        )
        yield Frame(
            picture,
            surfaces.labels,
            surfaces.depth,
            surfaces.tracks,
            _things(traffic, surfaces, faces, camera),
            _lines(traffic, camera),
            _tags(traffic, chosen),
            ego,
            camera,
        )
        for _ in range(steps):
            traffic.step(1 / fps / steps)


def _ego(traffic: Traffic, before: float | None, dt: float) -> Ego:
    car, road = traffic.ego, traffic.world.road
    [(x, y, heading)] = traffic.poses([car]).tolist()
    curvature = float(np.interp(car.s, road.s, road.curvature))
    turn = car.speed * curvature if before is None else (heading - before) / dt
    offset = car.d - LANE * (traffic.world.lanes - 0.5)
    return Ego(traffic.time, x, y, heading, float(car.speed), turn, float(offset), curvature)


def _things(traffic: Traffic, surfaces: Surfaces, faces: Faces, camera: Camera) -> tuple[Thing, ...]:
    """Those that can be seen, the nearest first."""
    counts = np.bincount(surfaces.tracks.ravel())
    boxes = ndimage.find_objects(surfaces.tracks)
    actors = [
        actor
        for actor in traffic.near(VIEW, PEOPLE)
        if actor.track < len(counts) and counts[actor.track] >= SMALLEST
    ]
    [(x, y, heading)] = traffic.poses([traffic.ego])
    c, s = np.cos(heading), np.sin(heading)
    things = []
    for actor, (ax, ay, direction) in zip(actors, traffic.poses(actors), strict=True):
        rows, columns = boxes[actor.track - 1]
        visible = int(counts[actor.track])
        outline = silhouette(faces, np.flatnonzero(faces.looks["track"] == actor.track), camera)
        ahead, left = (ax - x) * c + (ay - y) * s, (ay - y) * c - (ax - x) * s
        turn = (direction - heading + np.pi) % (2 * np.pi) - np.pi
        velocity = actor.speed * np.cos(turn) - traffic.ego.speed, actor.speed * np.sin(turn)
        things.append(
            Thing(
                actor.track,
                actor.label,
                (columns.start, rows.start, columns.stop, rows.stop),
                visible,
                1 - visible / outline,
                (float(ahead), float(left)),
                float(turn),
                (float(velocity[0]), float(velocity[1])),
                actor.size,
            )
        )
    return tuple(sorted(things, key=lambda thing: thing.position[0]))


def _lines(traffic: Traffic, camera: Camera) -> tuple[Line, ...]:
    world, ego = traffic.world, traffic.ego
    [(x, y, heading)] = traffic.poses([ego])
    c, s = np.cos(heading), np.sin(heading)
    along = ego.s + np.arange(2.0, 60.5, 0.5)
    lines = []
    for d, dashed in world.markings:
        dx, dy = (world.road.place(along, d) - [x, y]).T
        ground = np.stack([dx * c + dy * s, dy * c - dx * s], -1)
        image, _ = camera.project(np.column_stack([ground, np.zeros(len(ground))]))
        inside = ((image >= 0) & (image <= np.array(camera.size[::-1]) - 1)).all(1)
        bounds = {LANE * world.lanes: "left", LANE * (world.lanes - 1): "right"}.get(d, "")
        lines.append(Line(d, dashed, bounds, ground[inside], image[inside]))
    return tuple(lines)


def _tags(traffic: Traffic, conditions: Conditions) -> dict:
    world, s = traffic.world, traffic.ego.s
    turn = float(np.diff(world.road.pose(np.array([s, s + 40]))[2])[0])
    return {
        "weather": conditions.weather,
        "time_of_day": conditions.time_of_day,
        "curve": "straight" if abs(turn) < CURVE else "left" if turn > 0 else "right",
        "crossing": bool(np.any((world.crossings > s + 3) & (world.crossings < s + 40))),
    }
