"""From the mask of the own lane to its edges on the ground, and from these to a curve in metres."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Lane(NamedTuple):
    """A lane on the ground: ``middle`` (3,), the coefficients of y = a + b x + c x² of its middle; ``width`` in m.

    x is ahead and y to the left of the car, in metres.
    """

    middle: np.ndarray
    width: float

    @property
    def curvature(self) -> float:
        """1/m at the car, positive to the left: y'' / (1 + y'²)^1.5."""
        _, slope, bend = self.middle
        return float(2 * bend / (1 + slope**2) ** 1.5)

    @property
    def offset(self) -> float:
        """Metres that the car stands to the left of the lane's middle."""
        return float(-self.middle[0])


def lane_edges(probability, camera, least: float = 0.5, near: float = 4.0, far: float = 20.0):
    """The left and the right edge of the lane, (n, 2) m each, from the probability (H, W) of "my lane" in each pixel.

    In each row the edge is where the probability passes ``least``, to a fraction of a pixel; an edge that lies at the side of the
    picture is not one of the lane. Rows that see the ground between ``near`` and ``far`` m ahead count.

    >>> from course_utils.synthetic.dashcam import Camera
    >>> camera = Camera(size=(180, 240))
    >>> u, v = np.meshgrid(np.arange(240), np.arange(180))
    >>> left = camera.to_ground(np.stack([u, v], -1))[..., 1]
    >>> [edge[:, 1].mean().round(1).item() for edge in lane_edges(abs(left) < 1.5, camera)]
    [1.5, -1.5]
    """
    p = np.asarray(probability, float)
    last, edges = p.shape[1] - 1, ([], [])
    for row, values in enumerate(p):
        inside = np.flatnonzero(values >= least)
        if len(inside) < 2:
            continue
        first, end = inside[0], inside[-1]
        if first > 0:
            edges[0].append((first - (values[first] - least) / (values[first] - values[first - 1]), row))
        if end < last:
            edges[1].append((end + (values[end] - least) / (values[end] - values[end + 1]), row))
    found = []
    for pixels in edges:
        ground = camera.to_ground(np.array(pixels).reshape(-1, 2))
        found.append(ground[(ground[:, 0] > near) & (ground[:, 0] < far)])
    return tuple(found)


def fit_lane(left, right) -> Lane | None:
    """One parabola for both edges, (n, 2) and (m, 2) m, half a width apart; ``None`` where an edge has fewer than three points.

    Least squares for y = a + b x + c x² ± width / 2. A pixel far away covers more metres, so a point weighs one over its
    distance, and points that lie more than three times the middle error off go in a second round, which also needs three
    points of each edge. Lesson 18.

    >>> x = np.linspace(4, 30, 20)
    >>> lane = fit_lane(np.c_[x, 1.8 + 0.005 * x**2], np.c_[x, -1.2 + 0.005 * x**2])
    >>> round(lane.curvature, 4), round(lane.width, 2), round(lane.offset, 2)
    (0.01, 3.0, -0.3)
    """
    x, y = np.reshape([*left, *right], (-1, 2)).T
    side = np.r_[np.full(len(left), 0.5), np.full(len(right), -0.5)]
    design, weight = np.stack([np.ones_like(x), x, x**2, side], axis=1), 1 / x
    for _ in range(2):
        if min(np.count_nonzero(weight[side > 0]), np.count_nonzero(weight[side < 0])) < 3:
            return None
        solved = np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)[0]
        error = np.abs(design @ solved - y) / x
        weight = np.where(error <= 3 * np.median(error) + 1e-9, 1 / x, 0)
    return Lane(solved[:3], float(solved[3]))
