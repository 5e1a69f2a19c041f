"""What all methods of explanation share: hooks that end with their block, class scores, an untouched model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

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
    """The images as float32 beside the model's weights, cut off from any graph; checks shape and values."""
    if not isinstance(images, Tensor) or images.ndim != 4:
        got = tuple(images.shape) if hasattr(images, "shape") else type(images).__name__
        raise CourseError(f"images has shape {got}. Valid: (N, C, H, W); add a batch axis to one image.")
    if not images.isfinite().all():
        raise CourseError("images holds NaN or infinity. Valid: finite numbers, prepared as for the model.")
    return images.detach().to(next(model.parameters(), images).device, torch.float32)


def run(model: nn.Module, images: Tensor):
    """What the model gives for the images in the dtype of its weights."""
    return model(images.to(next(model.parameters(), images).dtype))


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits ``(N, K)`` float32, K from 2: one logit z becomes (−z, z)."""
    logits = _outputs(model, images)
    return _both(logits) if logits.shape[1] == 1 else logits


def chances_of(model: nn.Module, images: Tensor) -> Tensor:
    """Probabilities ``(N, K)`` float32, K from 2: one logit z becomes (1 − sigmoid(z), sigmoid(z)).

    >>> chances_of(nn.Flatten(), torch.zeros(1, 1, 1, 1)).tolist()
    [[0.5, 0.5]]
    """
    logits = _outputs(model, images)
    return _both(logits).sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)


def _outputs(model, images) -> Tensor:
    logits = run(model, images)
    if not isinstance(logits, Tensor) or logits.ndim not in (1, 2):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise CourseError(f"the model gives {got}. Valid: logits (N, K) of a classifier.")
    return (logits[:, None] if logits.ndim == 1 else logits).float()


def _both(logit: Tensor) -> Tensor:
    return torch.cat([-logit, logit], dim=1)


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
    if not isinstance(value, Integral) or value < least:
        raise CourseError(f"{what} is {value!r}. Valid: a whole number from {least}.")
