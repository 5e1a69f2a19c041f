"""Which surface does each pixel see, and how far away is it? Polygons into a buffer of faces and one of depths.

A surface is nearest where its inverse depth is largest; on a plane the inverse depth is linear in the pixel's
coordinates, so the depth in the buffer is exact, not interpolated (Hartley and Zisserman, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from course_utils.synthetic.dashcam.camera import Camera
from course_utils.synthetic.dashcam.shapes import Kind, Solid

NEAR = 0.25  # metres of depth in front of the camera where surfaces are cut off
FAR = 260.0  # metres: nothing solid is drawn beyond
SMALL = 2.5  # pixels: what is smaller, both ways, is not drawn
SHIFT = 4  # bits after the binary point that OpenCV takes for a corner's coordinates


@dataclass
class Faces:
    """Every polygon that may be seen: its looks (F,), a point on it and a direction along it (F, 3), its normal (F, 3),
    all in the vehicle's frame; ``plane`` (F, 3) gives the inverse depth at (u, v, 1), ``near`` (F,) the largest there is, ``bounds`` (F, 4) the rows and columns
    that may be touched (from, to, from, to), ``corners`` a list of (k, 2) sixteenths of a pixel.
    """

    looks: np.ndarray
    origin: np.ndarray
    along: np.ndarray
    normal: np.ndarray
    plane: np.ndarray
    near: np.ndarray
    bounds: np.ndarray
    corners: list[np.ndarray]


def faces(solid: Solid, camera: Camera) -> Faces:
    """Project the polygons of a solid (in the vehicle's frame), cut them off at ``NEAR``, drop what cannot be seen."""
    parts, corners = [], []
    inverse_K, centre = np.linalg.inv(camera.K), camera.K[:2, 2]
    limit = np.array(camera.size[::-1]) - 0.5
    for points, looks, origin, along in solid.polygons(camera.height):
        local = camera.to_camera(points)
        maybe = _in_view(local, camera)
        local, looks, origin, along = local[maybe], looks[maybe], origin[maybe], along[maybe]
        k = local.shape[1]
        normal = np.cross(local[:, k // 3] - local[:, 0], local[:, 2 * k // 3] - local[:, 0])
        offset = np.einsum("ni,ni->n", normal, local[:, 0])
        depth = local[..., 2]
        pixels = local[..., :2] / np.maximum(depth, NEAR)[..., None] * camera.focal + centre
        seen = (offset < -1e-9) | ((offset > 1e-9) & (looks["kind"] >= Kind.FENCE))
        low, high, cut = pixels.min(1), pixels.max(1), {}
        nearest = depth.min(1)
        for i in np.flatnonzero(seen & (nearest < NEAR)):
            kept = _cut(local[i])
            cut[i] = kept[:, :2] / kept[:, 2:] * camera.focal + centre
            low[i], high[i] = cut[i].min(0), cut[i].max(0)
        seen &= (high > -0.5).all(1) & (low < limit).all(1) & ((high - low).max(1) > SMALL)
        chosen = np.flatnonzero(seen)
        fixed = _fixed(pixels)
        corners += [_fixed(cut[i]) if i in cut else fixed[i] for i in chosen]
        first = np.clip(np.floor(low[chosen]), 0, None).astype(int)[:, ::-1]
        last = np.minimum(np.ceil(high[chosen]).astype(int)[:, ::-1] + 1, camera.size)
        normal, offset = normal[chosen], offset[chosen, None]
        plane = normal @ inverse_K / offset
        nearby = 1 / np.maximum(nearest[chosen], NEAR)
        normal *= -np.sign(offset) / np.linalg.norm(normal, axis=1, keepdims=True)
        parts.append(
            (
                looks[chosen],
                origin[chosen],
                along[chosen],
                normal @ camera.R,
                plane,
                nearby,
                np.stack([first, last], 2).reshape(-1, 4),
            )
        )
    return Faces(*[np.concatenate(arrays) for arrays in zip(*parts, strict=True)], corners)


def rasterise(faces: Faces, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """The nearest face of each pixel, (H, W) int32 or -1, and its inverse depth, (H, W) float32 in 1/m, 0 where there is none."""
    rows, columns = camera.size
    nearest, inverse = np.full(camera.size, -1, np.int32), np.zeros(camera.size, np.float32)
    u, v = np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)[:, None]
    mask = np.zeros(camera.size, np.uint8)
    planes, bounds, near = faces.plane.tolist(), faces.bounds.tolist(), faces.near.tolist()
    for i in np.argsort(-faces.near, kind="stable").tolist():
        corners, (a, b, c), (top, bottom, left, right) = faces.corners[i], planes[i], bounds[i]
        box = (slice(top, bottom), slice(left, right))
        part, drawn = inverse[box], mask[box]
        middle = inverse.item((top + bottom) // 2, (left + right) // 2)
        if middle > near[i] and np.minimum.reduce(part, axis=None) > near[i]:
            continue  # hidden: everything here is nearer already
        cv2.fillConvexPoly(mask, corners, 1, shift=SHIFT)
        depth = (v[top:bottom] * b + c) + u[left:right] * a
        np.minimum(depth, near[i], out=depth)  # an edge may reach half a pixel past its polygon
        keep = (depth > part) & drawn.view(bool)
        np.copyto(part, depth, where=keep)
        np.copyto(nearest[box], i, where=keep)
        drawn[:] = 0
    return nearest, inverse


def silhouette(faces: Faces, chosen: np.ndarray, camera: Camera) -> int:
    """The number of pixels that the ``chosen`` faces cover in the picture if nothing stands in front of them."""
    canvas = np.zeros(camera.size, np.uint8)
    for i in chosen:
        cv2.fillConvexPoly(canvas, faces.corners[i], 1, shift=SHIFT)
    return cv2.countNonZero(canvas)


def fill_ground(polygons: np.ndarray, camera: Camera, canvas: np.ndarray, value: int) -> None:
    """Draw convex polygons (n, k, 2) of the ground, in the vehicle's frame, into a picture (H, W) uint8."""
    local = camera.to_camera(np.concatenate([polygons, np.zeros((*polygons.shape[:2], 1))], -1))
    local = local[_in_view(local, camera)]
    whole = local[..., 2].min(1) > NEAR
    for polygons in (local[whole], *(_cut(polygon)[None] for polygon in local[~whole])):
        pixels = polygons[..., :2] / polygons[..., 2:] * camera.focal + camera.K[:2, 2]
        for corners in _fixed(pixels):
            cv2.fillConvexPoly(canvas, corners, value, shift=SHIFT)


def _in_view(local, camera):
    """Which polygons (n, k, 3) in the camera's frame are not wholly behind it, too far away, or to one side of the picture."""
    x, _, depth = np.moveaxis(local, -1, 0)
    edge = depth * (camera.size[1] / 2 / camera.focal)
    inside = ((x - edge).min(1) < 0) & ((x + edge).max(1) > 0)
    return inside & (depth.max(1) > NEAR) & (depth.min(1) < FAR)


def _fixed(pixels):
    return np.rint(pixels * (1 << SHIFT)).astype(np.int32)


def _cut(polygon):
    """The part of a polygon (k, 3) in the camera's frame that lies beyond ``NEAR`` (Sutherland and Hodgman, 1974)."""
    inside = polygon[:, 2] >= NEAR
    following, leaves = np.roll(polygon, -1, 0), inside != np.roll(inside, -1)
    step = np.where(leaves, (NEAR - polygon[:, 2]) / np.where(leaves, following[:, 2] - polygon[:, 2], 1), 0)
    borders = polygon + (following - polygon) * step[:, None]
    return np.stack([polygon, borders], 1).reshape(-1, 3)[np.stack([inside, leaves], 1).ravel()]
