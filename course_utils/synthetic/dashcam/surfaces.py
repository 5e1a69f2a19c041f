"""What the camera would see in even light: for each pixel label, depth and colour, and how sun, sky and lamps reach it.

Nothing here knows the weather; :mod:`conditions` turns surfaces into a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from course_utils.synthetic.dashcam import ground, models, noise, walls
from course_utils.synthetic.dashcam.camera import Camera
from course_utils.synthetic.dashcam.raster import Faces, faces, fill_ground, rasterise
from course_utils.synthetic.dashcam.shapes import Kind, Label, join, place, tint, triple
from course_utils.synthetic.dashcam.traffic import Traffic
from course_utils.synthetic.dashcam.world import cast

BACKDROP = 300.0  # metres: where the trees on the horizon stand
VIEW = 200.0  # metres of street that are drawn
PEOPLE = 110.0  # metres: people further away are smaller than four pixels, and left out


@dataclass
class Surfaces:
    """Buffers of one frame, all (H, W) or (H, W, 3). ``depth`` m along the optical axis, infinite for the sky; ``tracks`` 0
    where nobody is; ``colour`` linear 0 to 1; ``normal`` in the vehicle's frame; ``sun`` and ``sky``: how much of each reaches
    the surface; ``glow``: own light at night; ``wet``: 1 where rain makes a mirror; ``own``: the camera's own car.
    """

    labels: np.ndarray
    tracks: np.ndarray
    depth: np.ndarray
    colour: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    glow: np.ndarray
    wet: np.ndarray
    own: np.ndarray
    lamps: np.ndarray
    heading: float


def look(traffic: Traffic, camera: Camera) -> tuple[Surfaces, Faces]:
    """Everything the camera sees at this moment, and the polygons it was drawn from."""
    world, [pose] = traffic.world, traffic.poses([traffic.ego])
    actors = traffic.near(VIEW, PEOPLE)
    solids = [world.solid.ahead(*pose, VIEW)]
    if actors:
        shapes = [actor.shape(actor.s - traffic.ego.s) for actor in actors]
        solids.append(place(shapes, traffic.poses(actors)))
    street = join(solids).seen_from(*pose)
    polygons = faces(join([street, _BONNET]), camera)
    nearest, inverse = rasterise(polygons, camera)
    covered = nearest >= 0
    flat = ~covered & (camera.ground[0] < BACKDROP)
    at, floor = np.flatnonzero(covered), np.flatnonzero(flat)
    depth = np.full(camera.size, np.inf, np.float32)
    depth.ravel()[at] = distance = 1 / inverse.take(at)
    depth.ravel()[floor] = camera.ground[0].take(floor)

    out = Surfaces(
        labels=np.full(camera.size, Label.SKY, np.uint8),
        tracks=np.zeros(camera.size, np.int32),
        depth=depth,
        colour=np.zeros((*camera.size, 3), np.float32),
        sun=np.zeros(camera.size, np.float32),
        sky=np.ones(camera.size, np.float32),
        glow=np.zeros((*camera.size, 3), np.float32),
        wet=np.zeros(camera.size, np.float32),
        own=np.zeros(camera.size, bool),
        lamps=_in_vehicle(world.lamps, pose),
        heading=pose[2],
    )
    _paint_ground(out, floor, traffic, actors, camera, pose)
    _paint_backdrop(out, ~covered & ~flat, camera)
    index = nearest.take(at)
    points = camera.rays.reshape(-1, 3).take(at, 0) * triple(distance)
    painted = walls.paint(
        polygons, index, points, distance / np.float32(camera.focal), _turned(world.sun, pose)
    )
    for buffer, values in zip((out.colour, out.sun, out.sky, out.glow), painted, strict=True):
        buffer.reshape(-1, *values.shape[1:])[at] = values
    for buffer, name in ((out.labels, "label"), (out.tracks, "track")):
        buffer.ravel()[at] = polygons.looks[name][index]
    own = (polygons.looks["label"] == Label.UNLABELLED) & (polygons.looks["kind"] == Kind.GLASS)
    out.own.ravel()[at] = own[index]
    return out, polygons


_BONNET = models.bonnet()


def _paint_ground(out, at, traffic, actors, camera, pose):
    world, depth = traffic.world, out.depth.take(at)
    c, s = np.cos(pose[2]), np.sin(pose[2])
    x, y = camera.ground[1].reshape(-1, 2).take(at, 0).T
    place = np.stack([c * x - s * y + pose[0], s * x + c * y + pose[1]], -1, dtype=np.float32)
    guess = world.road.abreast(pose, traffic.ego.s, _rows_ahead(camera)).astype(np.float32)
    along, d = world.road.locate(place, guess.take(at // camera.size[1]))
    across = depth / np.float32(camera.focal)
    label, colour = ground.paint(world, along, d, place, across, across * depth / np.float32(camera.height))
    sunlit, open_sky = _shadows(traffic, actors, camera, pose)
    out.labels.ravel()[at], out.colour.reshape(-1, 3)[at] = label, colour
    out.sun.ravel()[at] = sunlit.take(at) * np.float32(world.sun[2])
    out.sky.ravel()[at] = open_sky.take(at)
    out.wet.ravel()[at] = label != Label.TREE


def _rows_ahead(camera):
    """For each row the distance ahead (H,) of the ground it shows, at most ``BACKDROP``."""
    x, _, z = camera.rays[:, 0].T
    return np.where(z < 0, np.minimum(camera.height * x / np.maximum(-z, 1e-6), BACKDROP), BACKDROP)


def _shadows(traffic, actors, camera, pose):
    """How much of the sun and of the sky reach the ground at each pixel, 0 to 1."""
    dark, close = np.zeros(camera.size, np.uint8), np.zeros(camera.size, np.uint8)
    static = _in_vehicle(traffic.world.shadows.reshape(-1, 2), pose).reshape(-1, 12, 2)
    x, y = static[:, :, 0], static[:, :, 1]
    casts = [static[(x.max(1) > 2) & (x.min(1) < 60) & (np.abs(y).min(1) < 25)]]
    sun = _turned(traffic.world.sun, pose)
    near = [actor for actor in actors if actor.s - traffic.ego.s < 45]
    bases = {Label.CAR: [], Label.PEDESTRIAN: [], Label.BICYCLIST: []}
    for actor, (*at, heading) in zip(near, traffic.poses(near), strict=True):
        length, width, height = actor.size
        half = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [length / 2, width / 2]
        base = _in_vehicle(_turned(half, (0, 0, -heading)) + at, pose)
        casts.append(cast(base, base - sun[:2] / sun[2] * height * 0.9)[None])
        bases[actor.label].append(base)
    fill_ground(np.concatenate(casts), camera, dark, 255)
    for label, outlines in bases.items():
        if outlines:
            fill_ground(np.array(outlines), camera, close, 255 if label == Label.CAR else 120)
    dark = cv2.GaussianBlur(dark, (3, 3), 0)
    close = cv2.GaussianBlur(close, (0, 0), camera.size[0] / 120)
    return 1 - dark.astype(np.float32) / 255, 1 - 0.75 * close.astype(np.float32) / 255


def _paint_backdrop(out, empty, camera):
    """Trees on the horizon, as far as they stand above it, then sky."""
    bearing, rise = camera.directions
    rows = np.flatnonzero(empty & (rise < 0.1))
    bearing, rise = bearing.take(rows) + np.float32(out.heading), rise.take(rows)
    height = 0.032 + 0.012 * noise.smooth(bearing * 0.21, np.full_like(bearing, 0.3))
    height += 0.006 * noise.smooth(bearing * 1.3, np.full_like(bearing, 0.7))
    tree = rise < height
    rows = rows[tree]
    leaf = 1 + 0.3 * noise.smooth(bearing[tree] * 2, rise[tree] * 6)
    out.labels.ravel()[rows] = Label.TREE
    out.depth.ravel()[rows] = BACKDROP
    out.colour.reshape(-1, 3)[rows] = tint(leaf, (0.05, 0.085, 0.035))
    out.sun.ravel()[rows] = 0.4
    out.sky.ravel()[rows] = 0.7


def _in_vehicle(points, pose):
    """World points (n, 2) or (n, 3) in the frame of the vehicle at ``pose``."""
    local = np.array(points, np.float64)
    local[:, :2] -= pose[:2]
    return _turned(local, pose)


def _turned(directions, pose):
    """World directions (..., 2) or (..., 3) in the frame of the vehicle at ``pose``."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    local = np.array(directions, np.float64)
    local[..., :2] = local[..., :2] @ np.array([[c, -s], [s, c]])
    return local
