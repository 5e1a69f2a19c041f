"""What all methods of explanation share: hooks that end with their block, class scores, an untouched model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
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


def find_layer(model: nn.Module, layer: nn.Module | str) -> nn.Module:
    """The layer by its name, or the module itself if it is part of the model; else :class:`CourseError`."""
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


def on_device(model: nn.Module, images: Tensor) -> Tensor:
    """A float copy of the images beside the model's weights, cut off from any graph; checks the shape."""
    if not isinstance(images, Tensor) or images.ndim != 4:
        got = tuple(images.shape) if hasattr(images, "shape") else type(images).__name__
        raise CourseError(f"images has shape {got}. Valid: (N, C, H, W); add a batch axis to one image.")
    return images.detach().to(next(model.parameters(), images).device, torch.float32)


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits ``(N, K)``, K from 2: one logit z becomes (−z, z)."""
    logits = model(images)
    if logits.ndim == 1:
        logits = logits[:, None]
    if logits.ndim != 2:
        raise CourseError(f"the model gives {tuple(logits.shape)}. Valid: logits (N, K) of a classifier.")
    return torch.cat([-logits, logits], dim=1) if logits.shape[1] == 1 else logits


def classes_for(logits: Tensor, targets) -> Tensor:
    """The targets as ``(N,)`` class numbers beside the logits, or the predicted classes if they are ``None``."""
    if targets is None:
        return logits.argmax(dim=1)
    targets = torch.as_tensor(targets, device=logits.device).long()
    n, k = logits.shape
    if targets.shape != (n,) or (n and not 0 <= int(targets.min()) <= int(targets.max()) < k):
        raise CourseError(f"targets is {targets.tolist()}. Valid: {n} class numbers from 0 to {k - 1}.")
    return targets


def scores_of(logits: Tensor, targets) -> Tensor:
    """The logit of each image's class, ``(N,)``."""
    return logits.gather(1, classes_for(logits, targets)[:, None])[:, 0]


def whole_number(value, least: int, what: str) -> None:
    """Raise :class:`CourseError` unless ``value`` is a whole number from ``least``."""
    if not isinstance(value, int) or value < least:
        raise CourseError(f"{what} is {value!r}. Valid: a whole number from {least}.")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model into eval mode; afterwards each of its modules is as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
