"""Losses that shape distances: ArcFace and the batch-hard triplet loss."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.errors import CourseError


class ArcFace(nn.Module):
    """Softmax over people on the sphere, where the true person must win by an angle.

    Logits are ``scale * cos(angle)`` to one direction for each person; the true one's is ``scale * cos(angle + margin)``.
    embeddings: (N, dim) float, of any length; people: (N,) int64 → the mean loss in nats. With ``margin=0`` it is softmax on
    normalised vectors. Where ``angle + margin`` passes half a turn, the logit goes on falling in a straight line, so that it never
    turns round. Raises :class:`CourseError` for a margin outside 0 to π/2 or a scale that is not positive. Deng et al., 2019.

    >>> loss = ArcFace(dim=2, people=2, scale=1.0, margin=0.0)
    >>> _ = loss.directions.data.copy_(torch.eye(2))
    >>> round(loss(torch.tensor([[5.0, 0.0]]), torch.tensor([0])).item(), 4)  # log(1 + exp(-1))
    0.3133
    """

    def __init__(self, dim: int, people: int, scale: float = 16.0, margin: float = 0.3):
        super().__init__()
        if not 0 <= margin < math.pi / 2 or not scale > 0:
            raise CourseError(
                f"margin={margin!r}, scale={scale!r}. Valid: a margin from 0 to π/2 and a positive scale."
            )
        self.scale, self.margin = scale, margin
        self.directions = nn.Parameter(torch.randn(people, dim))

    def forward(self, embeddings: torch.Tensor, people: torch.Tensor) -> torch.Tensor:
        """The loss of a batch."""
        cosines = F.normalize(embeddings) @ F.normalize(self.directions).T
        true = cosines.gather(1, people[:, None])
        sine = (1 - true.square()).clamp(min=1e-9).sqrt()
        harder = true * math.cos(self.margin) - sine * math.sin(self.margin)
        past = true - 1 + math.cos(self.margin)  # meets the curve at cos(angle) = -cos(margin)
        harder = torch.where(true > -math.cos(self.margin), harder, past)
        return F.cross_entropy(self.scale * cosines.scatter(1, people[:, None], harder), people)


def batch_hard_triplet(embeddings: torch.Tensor, people: torch.Tensor, margin: float = 0.3) -> torch.Tensor:
    """For each picture: its farthest picture of the same person should be nearer than its nearest of another, by a margin.

    embeddings: (N, dim) float, of any length; people: (N,) int → the mean of ``max(0, d⁺ - d⁻ + margin)`` over the pictures that
    have both, ``d`` being the distance on the unit sphere, 0 to 2. Raises :class:`CourseError` when no picture has both. Schroff et
    al., 2015; Hermans et al., 2017.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> batch_hard_triplet(x, torch.tensor([0, 0, 1, 1])).item(), batch_hard_triplet(x, torch.tensor([0, 1, 0, 1])).item() > 1.7
    (0.0, True)
    """
    unit = F.normalize(embeddings)
    distance = (2 - 2 * unit @ unit.T).clamp(min=1e-9).sqrt()  # the root has no slope at 0
    same = people[:, None] == people[None]
    itself = torch.eye(len(people), dtype=torch.bool, device=people.device)
    both = (same & ~itself).any(1) & (~same).any(1)
    if not both.any():
        raise CourseError(
            "no triplet in the batch. It needs two pictures of one person and one of another: see by_person()."
        )
    farthest = distance.masked_fill(~same | itself, -1).amax(1)
    nearest = distance.masked_fill(same, 3).amin(1)
    return F.relu(farthest - nearest + margin)[both].mean()
