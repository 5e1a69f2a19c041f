"""What goes with an optimizer: learning rates per layer, a schedule, the moving average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn


def layer_groups(
    model: nn.Module, lr: float, decay: float = 0.7, weight_decay: float = 0.0, head_lr: float | None = None
) -> list[dict]:
    """Parameter groups for an optimizer: the last layer learns at ``lr``, each layer before it ``decay`` times slower.

    A layer is a child of the model, or a child of a child that is a ``Sequential``. ``head_lr`` sets the last layer's
    rate apart. Biases and the scales of normalisation (all parameters of fewer than two axes) get no weight decay;
    frozen parameters are left out. Returns a list of dicts ``params, lr, weight_decay``, first layer first.
    Taught in lesson 11; Howard and Ruder, 2018 ("discriminative fine-tuning").

    >>> model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 1, bias=False))
    >>> [group["lr"] for group in layer_groups(model, lr=1.0, decay=0.5)]
    [0.5, 1.0]
    """
    layers = [layer for child in model.children() for layer in _layers(child)]
    seen, stacks = set(), []
    own = list(
        model.parameters(recurse=False)
    )  # position embeddings and class tokens: they stand at the input
    for parameters in [own, *(list(layer.parameters()) for layer in layers)]:
        fresh = [p for p in parameters if p.requires_grad and id(p) not in seen]
        seen.update(map(id, fresh))
        if fresh:
            stacks.append(fresh)
    groups = []
    for depth, stack in enumerate(stacks):
        rate = lr * decay ** (len(stacks) - 1 - depth)
        if head_lr is not None and depth == len(stacks) - 1:
            rate = head_lr
        for params, wd in (
            ([p for p in stack if p.ndim > 1], weight_decay),
            ([p for p in stack if p.ndim < 2], 0.0),
        ):
            if params:
                groups.append({"params": params, "lr": rate, "weight_decay": wd})
    return groups


def _layers(child: nn.Module):
    return list(child.children()) if isinstance(child, nn.Sequential | nn.ModuleList) else [child]


def cosine(warmup: float = 0.1, end: float = 0.0):
    """A schedule for ``Trainer(scheduler=...)``: a linear rise over ``warmup`` of the steps, then a half cosine.

    Each group's learning rate is multiplied by a factor that rises to 1 and falls to ``end``. Lesson 08;
    Loshchilov and Hutter, 2017.

    >>> optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    >>> schedule = cosine(warmup=0.5)(optimizer, total_steps=4)
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def build(optimizer, total_steps: int):
        rise = max(1, round(warmup * total_steps))

        def factor(step: int) -> float:
            if step < rise:
                return (step + 1) / rise
            fraction = min(1.0, (step + 1 - rise) / (total_steps + 1 - rise))
            return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * fraction))

        return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

    return build


class EMA:
    """The exponential moving average of a model's weights and buffers.

    After step t: ``average ← d · average + (1 - d) · weights`` with ``d = min(decay, (1 + t) / (10 + t))``, so that a
    short run is not held back by its first weights. Lesson 09; Polyak and Juditsky, 1992.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> ema = EMA(model, decay=0.9)
    >>> ema.update(model); torch.equal(ema.weights["weight"], model.weight)
    True
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.steps = decay, 0
        self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        # A mask may hold infinities, whose mean with themselves is NaN.
        self.copied = {name for name, t in self.weights.items() if not bool(torch.isfinite(t).all())}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present weights."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, currents = [], []
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and name not in self.copied:
                averages.append(self.weights[name])
                currents.append(tensor.detach())
            else:
                self.weights[name].copy_(tensor)
        torch._foreach_lerp_(averages, currents, 1 - keep)
