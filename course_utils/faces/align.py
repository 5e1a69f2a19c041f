"""Bring faces into one place: a similarity transform from landmarks (Umeyama, 1991), and the pictures resampled by it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.errors import CourseError

# Where eyes, tip of the nose and corners of the mouth go, as fractions of the width and of the height of a picture.
TEMPLATE = np.array([[0.33, 0.46], [0.67, 0.46], [0.50, 0.64], [0.375, 0.78], [0.625, 0.78]])


def similarity(source, target) -> np.ndarray:
    """The turn, zoom and shift that bring points nearest to others: a 2×3 matrix ``M`` with ``M[:, :2] @ p + M[:, 2] ≈ q``.

    ``source``, ``target``: (K, 2) points, or (N, K, 2) for N matrices (N, 2, 3). Least squares, without mirror images.
    Raises :class:`CourseError` for fewer than two points, other shapes, values that are not finite, and points that coincide.
    Umeyama, 1991; lesson 16.

    >>> similarity([[0, 0], [1, 0]], [[3, 1], [3, 3]]).round(6).tolist()
    [[0.0, -2.0, 3.0], [2.0, 0.0, 1.0]]
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source, target = np.broadcast_arrays(source, target)
    if source.ndim not in (2, 3) or source.shape[-1] != 2 or source.shape[-2] < 2:
        raise CourseError(f"points of shape {source.shape}. Valid: (K, 2) or (N, K, 2), K at least 2.")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise CourseError("a landmark is not finite. Leave the picture out, or mark its points again.")
    middle, goal = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    a, b = source - middle, target - goal
    spread = (a**2).sum((-1, -2))
    if (spread < 1e-12).any():
        raise CourseError("all landmarks of a face lie on one point. Mark at least two different ones.")
    # In the plane the best turn and zoom are one complex number, the regression of b on a.
    along = (a * b).sum((-1, -2)) / spread
    across = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(-1) / spread
    turn = np.stack([np.stack([along, -across], -1), np.stack([across, along], -1)], -2)
    shift = goal - middle @ np.swapaxes(turn, -1, -2)
    return np.concatenate([turn, np.swapaxes(shift, -1, -2)], -1)


def aligned(images: torch.Tensor, landmarks, size: tuple[int, int], template=TEMPLATE) -> torch.Tensor:
    """Resample pictures so that their landmarks come to lie on the template: (N, C, h, w) of the same kind.

    ``images``: (N, C, H, W) uint8 or float; ``landmarks``: (N, K, 2) as x, y in pixels; ``size``: (h, w). Bilinear; what comes
    in from outside repeats the border. Where a face becomes smaller, each pixel is the mean of all that falls into it. Raises as
    :func:`similarity`, and for landmarks that do not fit the pictures or the template.

    >>> picture = torch.arange(16.0).view(1, 1, 4, 4)
    >>> torch.equal(aligned(picture, [[[0, 0], [3, 3]]], (4, 4), template=[[0, 0], [0.75, 0.75]]), picture)
    True
    """
    goal, landmarks = np.asarray(template) * (size[1], size[0]), np.asarray(landmarks, np.float64)
    if images.ndim != 4 or landmarks.shape != (len(images), *goal.shape):
        raise CourseError(
            f"{tuple(images.shape)} pictures with landmarks of shape {landmarks.shape}. "
            f"Valid: (N, C, H, W) and (N, {len(goal)}, 2), as many points as the template has."
        )
    goal = np.broadcast_to(goal, landmarks.shape)
    similarity(landmarks, goal)  # its checks, for the points of the pictures
    back = similarity(goal, landmarks)  # from the new picture to the old
    smaller = np.maximum(1, np.hypot(back[:, 0, 0], back[:, 1, 0]).round()).astype(int)
    back = torch.from_numpy(back).to(images.device, torch.float32)
    out = images.new_empty((*images.shape[:2], *size))
    for k in np.unique(smaller).tolist():
        # In parts: the floats of a part are several times as large as its result in bytes.
        for rows in torch.from_numpy(np.flatnonzero(smaller == k)).split(max(1, 256 // k**2)):
            out[rows] = _resampled(images[rows], back[rows], size, k)
    return out


def _resampled(images, back, size, k: int) -> torch.Tensor:
    """Each pixel is the mean of k × k places."""
    rows, columns = ((torch.arange(n * k) + 0.5) / k - 0.5 for n in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1).to(images.device)
    source = torch.einsum("nij,hwj->nhwi", back, places)
    height, width = images.shape[-2:]
    grid = (2 * source + 1) / source.new_tensor([width, height]) - 1
    out = F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    out = F.avg_pool2d(out, k)
    return out if images.is_floating_point() else out.round().clamp(0, 255).to(images.dtype)
