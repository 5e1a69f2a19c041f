"""Losses over pixels. ``logits``: (N, K, H, W) float; ``masks``: (N, H, W) class numbers of any whole type, 255 to be ignored.

Focal loss is in ``segmentation_models_pytorch.losses`` and in lesson 06. Lesson 15 compares them.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_utils import processes
from course_utils.segmentation.metrics import IGNORE


def pixel_cross_entropy(
    logits, masks, weight: torch.Tensor | None = None, ignore: int = IGNORE
) -> torch.Tensor:
    """Cross-entropy, the mean over the pixels that are not ignored; 0 where all are. ``weight``: (K,), of the classes.

    >>> pixel_cross_entropy(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 255]]])).item() == torch.tensor(2.0).log().item()
    True
    """
    masks = masks.long()
    # Of several processes one may have no pixel that counts, and still takes part.
    if processes.Share.active or (masks != ignore).any():
        return F.cross_entropy(logits, masks, weight=weight, ignore_index=ignore)
    return logits.sum() * 0  # torch gives 0 / 0


def dice_loss(logits, masks, ignore: int = IGNORE) -> torch.Tensor:
    """One minus the Dice coefficient of softmax probabilities, the mean over the classes that occur in the batch.

    Sums run over the whole batch. Milletari et al., 2016; lesson 06.

    >>> sure = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])
    >>> round(dice_loss(sure, torch.tensor([[[0, 1]]])).item(), 4), round(dice_loss(sure, torch.tensor([[[1, 0]]])).item(), 4)
    (0.0, 1.0)
    """
    known = (masks != ignore).unsqueeze(1)
    probabilities = logits.float().softmax(1) * known
    truth = F.one_hot(masks.long().masked_fill(~known[:, 0], 0), logits.shape[1]).movedim(-1, 1) * known
    parts = (probabilities * truth, probabilities + truth, truth)
    both, size, occurs = processes.total(torch.stack([part.sum((0, 2, 3)) for part in parts]))
    occurs = occurs > 0
    return ((1 - 2 * both / size.clamp(min=1e-6)) * occurs).sum() / occurs.sum().clamp(min=1)


def signed_distance(masks, num_classes: int, ignore: int = IGNORE) -> torch.Tensor:
    """How far each pixel lies outside each class, in pixels, negative inside: (N, K, H, W) float32.

    0 for ignored pixels, and for a class that a picture does not have. For :func:`boundary_loss`.

    >>> signed_distance(torch.tensor([[[0, 0, 1, 1]]]), num_classes=2)[0, 1].tolist()
    [[2.0, 1.0, 0.0, -1.0]]
    """
    from scipy.ndimage import distance_transform_edt

    masks = np.asarray(masks.cpu() if hasattr(masks, "cpu") else masks)
    maps = np.zeros((len(masks), num_classes, *masks.shape[1:]), np.float32)
    for one, mask in zip(maps, masks, strict=True):
        for k in range(num_classes):
            inside = mask == k
            if inside.any() and not inside.all():
                one[k] = distance_transform_edt(~inside) - (distance_transform_edt(inside) - 1) * inside
        one *= mask != ignore
    return torch.from_numpy(maps)


def boundary_loss(logits, distances) -> torch.Tensor:
    """The mean of probability times signed distance: a pixel far outside its class costs more than one at its edge.

    ``distances``: (N, K, H, W) from :func:`signed_distance`. It may be negative. Alone it may settle where a small class is left
    out, with hardly any slope, so it is added to cross-entropy or Dice. Kervadec et al., 2019.

    >>> boundary_loss(torch.zeros(1, 2, 1, 2), torch.tensor([[[[-1.0, 3.0]], [[1.0, 1.0]]]])).item()
    0.5
    """
    return (logits.float().softmax(1) * distances.to(logits.device)).mean()
