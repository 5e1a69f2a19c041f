"""Where a network looks: Grad-CAM, with hooks that are always removed. Lesson 12 builds it by hand and tests it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.errors import CourseError, choice


@contextmanager
def outputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what ``layer`` gives at each forward pass inside the ``with`` block; the hook is removed at its end.

    The tensors are part of the graph, so that gradients with respect to them can be asked for.

    >>> layer = nn.Identity()
    >>> with outputs_of(layer) as outputs:
    ...     _ = nn.Sequential(layer, nn.Flatten())(torch.zeros(2, 3, 4))
    >>> [tuple(output.shape) for output in outputs]
    [(2, 3, 4)]
    """
    outputs: list[Tensor] = []

    def keep(module, inputs, output):
        outputs.append(output)
        # What follows works on a copy: an in-place ReLU would otherwise change what was collected.
        return output.clone() if isinstance(output, Tensor) else output

    handle = layer.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def grad_cam(model: nn.Module, layer: nn.Module | str, images: Tensor, targets=None) -> Tensor:
    """Heat maps of the places that speak for a class: Grad-CAM (Selvaraju et al., 2017).

    ``images``: ``(N, C, H, W)`` float, prepared as for the model; ``layer``: a module of the model or its name, whose
    output is ``(N, K, h, w)``, usually the last convolution; ``targets``: ``(N,)`` classes, by default the predicted
    ones. A model with one logit has the classes 0 and 1. Returns ``(N, H, W)`` float on the CPU, each map from 0 to 1
    with its largest value 1, or all 0 where nothing speaks for the class. The model's weights, gradients and
    train/eval mode stay as they were.

    Raises :class:`CourseError` for a layer that is not in the model, does not run or gives no maps, and for targets
    that do not fit.

    >>> model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2, bias=False))
    >>> for weight in model.parameters():
    ...     _ = nn.init.ones_(weight)
    >>> image = torch.zeros(1, 1, 2, 2)
    >>> image[0, 0, 0, 1] = 3
    >>> grad_cam(model, "0", image, targets=[1]).tolist()
    [[[0.25, 1.0], [0.25, 0.25]]]
    """
    layer = _layer(model, layer)
    if images.ndim != 4:
        raise CourseError(
            f"images has shape {tuple(images.shape)}. Valid: (N, C, H, W); add a batch axis to one image."
        )
    parameter = next(model.parameters(), images)
    images = images.detach().to(parameter.device, torch.float32).requires_grad_()
    with _evaluating(model), outputs_of(layer) as outputs, torch.enable_grad():
        scores = _scores(model(images), targets)
        if not outputs:
            raise CourseError(
                "the layer did not run in the forward pass. Choose one that the images go through."
            )
        maps = outputs[-1]
        if not isinstance(maps, Tensor) or maps.ndim != 4:
            got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise CourseError(
                f"the layer gives {got}. Valid: feature maps (N, K, h, w); choose an earlier layer."
            )
        (gradient,) = torch.autograd.grad(scores.sum(), maps, allow_unused=True)
    if gradient is None:
        raise CourseError(
            "the class scores do not depend on this layer. Choose one that lies before the head."
        )
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = F.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
    heat = F.interpolate(heat.float(), images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    largest = heat.amax(dim=(1, 2), keepdim=True)
    return torch.where(largest > 0, heat / largest.clamp_min(torch.finfo(heat.dtype).tiny), 0).cpu()


def _layer(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    named = dict(model.named_modules())
    if isinstance(layer, str):
        convolutions = [name for name, module in named.items() if isinstance(module, nn.Conv2d)]
        if layer not in named:
            choice(layer, convolutions[-5:] or list(named)[-5:], "layer")
        return named[layer]
    if not any(layer is module for module in named.values()):
        raise CourseError(
            f"the layer {type(layer).__name__} is not part of the model. Give one of its modules or names."
        )
    return layer


def _scores(logits: Tensor, targets) -> Tensor:
    """The score of each image's class, ``(N,)``."""
    if logits.ndim == 1:
        logits = logits[:, None]
    if logits.ndim != 2:
        raise CourseError(f"the model gives {tuple(logits.shape)}. Valid: logits (N, K) of a classifier.")
    if logits.shape[1] == 1:
        logits = torch.cat([-logits, logits], dim=1)
    targets = (
        logits.argmax(dim=1) if targets is None else torch.as_tensor(targets, device=logits.device).long()
    )
    n, k = logits.shape
    if targets.shape != (n,) or (n and not 0 <= int(targets.min()) <= int(targets.max()) < k):
        raise CourseError(f"targets is {targets.tolist()}. Valid: {n} class numbers from 0 to {k - 1}.")
    return logits.gather(1, targets[:, None])[:, 0]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
