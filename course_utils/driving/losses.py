"""What the four heads of :class:`~course_utils.driving.model.DriveNet` are trained to make small."""

from __future__ import annotations

import torch

from course_utils.segmentation.metrics import IGNORE


def class_weights(counts: torch.Tensor, least: float = 1e-3, most: float = 6.0) -> torch.Tensor:
    """Weights (K,) for cross-entropy: one over the square root of a class's share, 1 for the mean pixel, up to ``most``.

    ``counts`` (N, K): pixels of each class in each picture. The root is between no weights, with which a net forgets poles,
    and one over the share, with which it sees them everywhere. Lesson 18.

    >>> [round(weight, 2) for weight in class_weights(torch.tensor([[90, 10]])).tolist()]
    [0.83, 2.5]
    """
    share = counts.sum(0).double() / counts.sum()
    weights = share.clamp(min=least).rsqrt()
    return (weights / (weights * share).sum()).clamp(max=most).float()


def lovasz_loss(logits: torch.Tensor, masks: torch.Tensor, ignore: int = IGNORE) -> torch.Tensor:
    """One minus the IoU, made smooth: the mean over the classes that occur in the batch. Berman et al., 2018.

    ``logits`` (N, K, H, W); ``masks`` (N, H, W) class numbers. The errors of a class are sorted, and each weighs as much as
    the IoU falls when it is added to the worse ones; 0 where every pixel is ignored.

    >>> sure = torch.tensor([[[[9.0, -9.0, -9.0]], [[-9.0, 9.0, 9.0]]]])
    >>> [round(lovasz_loss(sure, torch.tensor([[row]])).item(), 2) for row in ([0, 1, 1], [1, 1, 1])]
    [0.0, 0.33]
    """
    known = masks != ignore
    p, truth = logits.float().softmax(1).movedim(1, -1)[known], masks[known].long()
    losses = []
    for k in truth.unique():
        inside = (truth == k).float()
        errors, order = (inside - p[:, k]).abs().sort(descending=True)
        inside = inside[order]
        union = inside.sum() + (1 - inside).cumsum(0)
        lost = 1 - (inside.sum() - inside.cumsum(0)) / union
        losses.append((errors * torch.cat([lost[:1], lost.diff()])).sum())
    return torch.stack(losses).mean() if losses else logits.sum() * 0
