"""Prediction of a picture of any size in overlapping tiles. Lesson 15 shows the seams that the overlap takes away."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course_utils.errors import CourseError


@torch.no_grad()
def predict_tiled(
    predict, image: torch.Tensor, tile: int = 256, overlap: int = 64, batch: int = 4
) -> torch.Tensor:
    """Outputs of ``predict`` for a whole picture: (C, H, W) → (K, H, W) float32 on the CPU.

    ``predict``: (n, C, tile, tile) → (n, K, tile, tile). Neighbouring tiles share ``overlap`` pixels, where their outputs are
    averaged with weights that fall to the tile's edge; the picture is continued by reflection beyond its border, so the edge
    of the picture lies inside a tile. With ``overlap=0`` tiles are laid side by side. Give probabilities rather than logits:
    their mean stays one.
    Raises :class:`CourseError` for an overlap that is not below half a tile, and for other shapes.

    >>> image = torch.arange(35.0).view(1, 5, 7)
    >>> torch.allclose(predict_tiled(lambda x: 2 * x, image, tile=4, overlap=1), 2 * image)
    True
    """
    if not 0 <= overlap < tile / 2:
        raise CourseError(f"overlap is {overlap} with tiles of {tile}. Valid: 0 to {(tile - 1) // 2}.")
    if image.ndim != 3:
        raise CourseError(
            f"image has shape {tuple(image.shape)}. Valid: (C, H, W); add a channel axis with image[None]."
        )
    height, width = image.shape[-2:]
    step = tile - overlap
    tops, lefts = (range(-overlap, max(1, side), step) for side in (height, width))
    padded = _reflected(image, overlap, tops[-1] + tile - height, lefts[-1] + tile - width)
    places = [(top + overlap, left + overlap) for top in tops for left in lefts]
    weights, total, outputs = _window(tile, overlap), torch.zeros(padded.shape[-2:]), None
    for start in range(0, len(places), batch):
        part = places[start : start + batch]
        tiles = torch.stack([padded[:, y : y + tile, x : x + tile] for y, x in part])
        answers = predict(tiles).float().cpu()
        if answers.ndim != 4 or answers.shape[2:] != (tile, tile):
            raise CourseError(
                f"predict gives {tuple(answers.shape)} for tiles {tuple(tiles.shape)}. Valid: (n, K, {tile}, {tile}); "
                "resize its outputs to the tiles, with F.interpolate."
            )
        for (y, x), output in zip(part, answers, strict=True):
            if outputs is None:
                outputs = torch.zeros(len(output), *padded.shape[-2:])
            outputs[:, y : y + tile, x : x + tile] += output * weights
            total[y : y + tile, x : x + tile] += weights
    return (outputs / total)[:, overlap : overlap + height, overlap : overlap + width]


def _reflected(image, before: int, below: int, right: int):
    """Continue a picture by reflection, as often as a small picture needs it."""
    left = top = before
    while max(left, right, top, below) > 0:
        height, width = image.shape[-2:]
        now = [
            max(0, min(n, side - 1))
            for n, side in ((left, width), (right, width), (top, height), (below, height))
        ]
        if not any(now):
            return F.pad(image[None], (left, right, top, below), mode="replicate")[0]
        image = F.pad(image[None], now, mode="reflect")[0]
        left, right, top, below = (a - b for a, b in zip((left, right, top, below), now, strict=True))
    return image


def _window(tile: int, overlap: int) -> torch.Tensor:
    """Weights (tile, tile): 1 in the middle, falling linearly over the overlap on each side."""
    distance = torch.minimum(torch.arange(tile), torch.arange(tile).flip(0)) + 1.0
    edge = (distance / (overlap + 1)).clamp(max=1)
    return edge[:, None] * edge
