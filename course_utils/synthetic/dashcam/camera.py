"""The camera behind the windscreen: a pinhole at a known height above a flat ground, looking slightly down.

Three frames of coordinates, all in metres. The *world* has x and y on the ground and z up. The *vehicle* (ISO 8855) has
its origin on the ground below the camera, x ahead, y to the left, z up. The *camera* has x to the right, y down and z
along the optical axis. In the picture, (u, v) is the centre of the pixel in column u and row v.

Source: R. Hartley and A. Zisserman (2004), *Multiple View Geometry in Computer Vision*, chapters 6 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from course_utils.errors import CourseError


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: ``size`` (rows, columns), horizontal ``fov`` and ``pitch`` (down is positive) in degrees, ``height`` in m.

    >>> camera = Camera(size=(180, 240))
    >>> camera.K.round(1).tolist()
    [[207.8, 0.0, 119.5], [0.0, 207.8, 89.5], [0.0, 0.0, 1.0]]
    >>> pixels, depth = camera.project([20.0, 5.0, 0.0])
    >>> camera.to_ground(pixels).round(6).tolist()
    [20.0, 5.0]
    """

    size: tuple[int, int] = (180, 240)
    fov: float = 60.0
    height: float = 1.3
    pitch: float = 2.0

    def __post_init__(self):
        rows, columns = self.size
        if not (32 <= rows <= 2048 and 32 <= columns <= 2048):
            raise CourseError(
                f"size={self.size!r} is not valid. Valid: (rows, columns) with 32 to 2048 pixels each."
            )

    @property
    def focal(self) -> float:
        """The focal length in pixels, the same along rows and columns."""
        return float(self.size[1] / 2 / np.tan(np.radians(self.fov) / 2))

    @property
    def K(self) -> np.ndarray:  # noqa: N802 - the field's own name
        """The 3×3 matrix of intrinsics: square pixels, principal point in the middle of the picture."""
        rows, columns = self.size
        return np.array([[self.focal, 0, (columns - 1) / 2], [0, self.focal, (rows - 1) / 2], [0, 0, 1]])

    @property
    def R(self) -> np.ndarray:  # noqa: N802
        """The 3×3 rotation that turns a direction in the vehicle's frame into the camera's."""
        s, c = np.sin(np.radians(self.pitch)), np.cos(np.radians(self.pitch))
        return np.array([[0, -1, 0], [-s, 0, -c], [c, 0, -s]])

    def to_camera(self, points) -> np.ndarray:
        """Points (..., 3) of the vehicle's frame in the camera's frame, (..., 3)."""
        return (np.asarray(points) - [0, 0, self.height]) @ self.R.T

    def project(self, points) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) and depths (...) in m of points (..., 3) in the vehicle's frame; not a number behind the camera."""
        x, y, depth = np.moveaxis(self.to_camera(points), -1, 0)
        ahead = np.where(depth > 0, depth, np.nan)
        u0, v0 = self.K[:2, 2]
        return np.stack([u0 + self.focal * x / ahead, v0 + self.focal * y / ahead], -1), depth

    def to_ground(self, pixels) -> np.ndarray:
        """The points (x ahead, y left) of the ground seen at ``pixels`` (..., 2); not a number at or above the horizon."""
        homogeneous = np.concatenate([pixels, np.ones((*np.shape(pixels)[:-1], 1))], -1)
        ground = homogeneous @ np.linalg.inv(self.ground_homography).T
        return np.where(ground[..., 2:] > 0, ground[..., :2] / ground[..., 2:], np.nan)

    def foot(self, boxes) -> np.ndarray:
        """Where the things in boxes (..., 4) touch the ground: x ahead and y left (..., 2) m, below the middle of the lower edge.

        A box is x1, y1, x2, y2 in pixels from the upper left corner, outer edges, so the edge 0 lies half a pixel before the
        centre of the pixel 0. Not a number at or above the horizon.

        >>> (u, v), _ = Camera().project([20.0, 5.0, 0.0])
        >>> Camera().foot([u - 9.5, v - 29.5, u + 10.5, v + 0.5]).round(6).tolist()
        [20.0, 5.0]
        """
        x1, _, x2, y2 = np.moveaxis(np.asarray(boxes, float), -1, 0)
        return self.to_ground(np.stack([(x1 + x2) / 2, y2], -1) - 0.5)

    @property
    def ground_homography(self) -> np.ndarray:
        """The 3×3 homography from the ground (x, y, 1) in m to pixels: K [r1 r2 t] (Hartley and Zisserman, 2004, ch. 8).

        Its scale is such that the third coordinate is the depth.
        """
        R, t = self.R, self.R @ [0, 0, -self.height]
        return self.K @ np.column_stack([R[:, 0], R[:, 1], t])

    def birds_eye(self, ahead=(3.0, 40.0), left=8.0, metres_per_pixel=0.1) -> np.ndarray:
        """The 3×3 homography from this picture to a map of the ground, as ``cv2.warpPerspective`` takes it.

        The map's top row is ``ahead[1]`` m away, its bottom row ``ahead[0]``; it reaches ``left`` m to both sides.
        """
        m = metres_per_pixel
        to_map = np.array([[0, -1 / m, left / m], [-1 / m, 0, ahead[1] / m], [0, 0, 1]])
        return to_map @ np.linalg.inv(self.ground_homography)

    @property
    def horizon(self) -> float:
        """The row at which a flat ground ends, in pixels from the top."""
        return float(self.K[1, 2] - self.focal * np.tan(np.radians(self.pitch)))

    @cached_property
    def rays(self) -> np.ndarray:
        """For each pixel the vector (H, W, 3) float32, in the vehicle's frame, that leads one metre of depth away."""
        rows, columns = self.size
        v, u = np.mgrid[:rows, :columns]
        pixels = np.stack([u, v, np.ones_like(u)], -1)
        return (pixels @ np.linalg.inv(self.K).T @ self.R).astype(np.float32)

    @cached_property
    def planes(self) -> np.ndarray:
        """The rays' x, y and z as three pictures (3, H, W) float32."""
        return np.ascontiguousarray(np.moveaxis(self.rays, -1, 0))

    @cached_property
    def ground(self) -> tuple[np.ndarray, np.ndarray]:
        """Depth (H, W) of the ground at each pixel, infinite where there is none, and its point (H, W, 2) x ahead, y left."""
        x, y, z = self.planes
        depth = np.where(z < 0, self.height / np.maximum(-z, 1e-9), np.inf).astype(np.float32)
        below = np.where(z < 0, depth, 0)
        return depth, np.stack([x * below, y * below], -1)

    @cached_property
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel the bearing (H, W) in radians to the left, and the rise (H, W) in metres a metre ahead."""
        x, y, z = self.planes
        return np.arctan2(y, x), z / np.hypot(x, y)

    @cached_property
    def stretch(self) -> np.ndarray:
        """For each pixel the metres (H, W) float32 along its ray that lead one metre of depth away."""
        return np.linalg.norm(self.rays, axis=-1)
