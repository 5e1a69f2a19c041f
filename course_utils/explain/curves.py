"""Is a map true? Deletion and insertion curves, share of heat, and the model with its knowledge erased. Lesson 12."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from course_utils.errors import CourseError
from course_utils.explain.common import (
    chances_of,
    classes_for,
    find_layer,
    on_device,
    whole_number,
)
from course_utils.meter import eval_mode


def deletion(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    targets=None,
    *,
    steps: int = 16,
    fill: float | Tensor = 0.0,
) -> Tensor:
    """Probability of the class while the pixels go, those with the largest value in the map first.

    ``images``: ``(N, C, H, W)``, ``maps``: ``(N, H, W)``; ``fill`` takes the place of the pixels. Returns
    ``(N, steps + 1)`` float from all pixels there to none; its mean is the area below the curve, small for a true map.
    Raises :class:`CourseError` for maps of another shape. Petsiuk, Das and Saenko, 2018.
    """
    images, start = on_device(model, images), on_device(model, images)
    end = torch.as_tensor(fill, dtype=torch.float32, device=images.device).expand_as(images)
    return _replaced(model, start, end, maps, targets, steps, images)


def insertion(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    targets=None,
    *,
    steps: int = 16,
    fill: float | Tensor = 0.0,
) -> Tensor:
    """The same while the pixels come, the largest first, upon a picture of ``fill``; its mean is large for a true map."""
    images = on_device(model, images)
    start = torch.as_tensor(fill, dtype=torch.float32, device=images.device).expand_as(images)
    return _replaced(model, start, images, maps, targets, steps, images)


def _replaced(model, start, end, maps, targets, steps, images) -> Tensor:
    whole_number(steps, 1, "steps")
    expected = (len(images), *images.shape[2:])
    if tuple(maps.shape) != expected:
        raise CourseError(f"maps has shape {tuple(maps.shape)}. Valid: {expected}, one map for each image.")
    pixels = maps[0].numel()
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(pixels).expand_as(order))
    rank = rank.view(len(images), 1, *images.shape[2:]).to(images.device)
    columns = []
    with eval_mode(model), torch.no_grad():
        targets = classes_for(chances_of(model, images), targets)[:, None]
        for step in range(steps + 1):
            mixed = torch.where(rank < round(pixels * step / steps), end, start)
            columns.append(chances_of(model, mixed).gather(1, targets))
    return torch.cat(columns, dim=1).cpu()


def heat_share(maps: Tensor, inside: Tensor) -> Tensor:
    """The share of each map's positive values that lies where ``inside`` is true, ``(N,)`` from 0 to 1.

    ``maps``: ``(N, H, W)``; ``inside``: ``(H, W)`` or ``(N, H, W)``, true where it is not 0. A map without a
    positive value has the share 0.

    >>> heat_share(torch.tensor([[[3.0, 1.0], [-5.0, 0.0]]]), torch.tensor([[True, False], [True, False]])).tolist()
    [0.75]
    """
    positive = maps.clamp_min(0)
    total = positive.sum(dim=(1, 2))
    return (positive * inside.bool()).sum(dim=(1, 2)) / total.clamp_min(torch.finfo(total.dtype).tiny)


def rank_likeness(maps: Tensor, others: Tensor) -> Tensor:
    """Spearman's rank correlation of the maps' absolute values, ``(N,)`` from −1 to 1; equal values share a rank.

    A flat map is like no other: 0. Adebayo et al., 2018, compare maps in this way.

    >>> rank_likeness(torch.tensor([[[1.0, -2.0, 3.0]]]), torch.tensor([[[10.0, 20.0, 90.0]]])).tolist()
    [1.0]
    """
    from scipy.stats import rankdata

    found = []
    for a, b in zip(maps.abs(), others.abs(), strict=True):
        a, b = (torch.from_numpy(rankdata(m.flatten().numpy())) for m in (a, b))
        a, b = a - a.mean(), b - b.mean()
        size = (a.square().sum() * b.square().sum()).sqrt()
        found.append(float((a * b).sum() / size) if size > 0 else 0.0)
    return torch.tensor(found, dtype=torch.float64)


def randomised(model: nn.Module, layers, seed: int = 0) -> nn.Module:
    """A copy of the model with the weights of convolutions and linear layers inside ``layers`` shuffled.

    ``layers``: modules of the model or their names, or one of them. Shuffling keeps the size of the weights and erases
    what they say. The model itself is left alone. Adebayo et al., 2018 (who draw the weights anew).
    """
    layers = [layers] if isinstance(layers, str | nn.Module) else layers
    names = {id(module): name for name, module in model.named_modules()}
    chosen = [names[id(find_layer(model, layer))] for layer in layers]
    erased = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name in chosen:
            for module in erased.get_submodule(name).modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    flat = module.weight.flatten()
                    order = torch.randperm(flat.numel(), generator=generator).to(flat.device)
                    module.weight.copy_(flat[order].view_as(module.weight))
    return erased
