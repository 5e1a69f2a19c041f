"""Maps from gradients: plain, smoothed, guided, integrated, and Grad-CAM. Signature: see :mod:`course_utils.explain`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.errors import CourseError
from course_utils.explain.common import (
    classes_for,
    find_layer,
    logits_of,
    on_device,
    outputs_of,
    run,
    scores_of,
    whole_number,
)
from course_utils.meter import eval_mode


def gradient(model: nn.Module, images: Tensor, targets=None) -> Tensor:
    """How strongly each pixel moves the class's logit: the largest absolute gradient over the channels, from 0.

    Simonyan, Vedaldi and Zisserman, 2014.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    >>> _ = linear[1].weight.data.copy_(torch.tensor([[0.0, 0.0], [3.0, -4.0]]))
    >>> gradient(linear, torch.ones(1, 1, 1, 2), [1]).tolist()
    [[[3.0, 4.0]]]
    """
    images = on_device(model, images)
    with eval_mode(model):
        return _strength(_input_gradient(model, images, targets))


def smooth_grad(
    model: nn.Module, images: Tensor, targets=None, *, samples: int = 16, noise: float = 0.15, seed: int = 0
) -> Tensor:
    """The gradient, averaged over ``samples`` noisy copies of an image, as its absolute value; from 0.

    ``noise``: standard deviation as a fraction of the image's range. All images get the same noise, up to that scale.
    Smilkov et al., 2017.
    """
    whole_number(samples, 1, "samples")
    images = on_device(model, images)
    spread = noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))
    generator = torch.Generator().manual_seed(seed)
    with eval_mode(model):
        targets = _decided(model, images, targets)
        total = torch.zeros_like(images)
        for _ in range(samples):
            draw = torch.randn(images.shape[1:], generator=generator).to(images.device)
            total += _input_gradient(model, images + spread.view(-1, 1, 1, 1) * draw, targets)
    return _strength(total / samples)


def guided_backprop(model: nn.Module, images: Tensor, targets=None) -> Tensor:
    """The gradient that lets only positive values back through each ReLU, as its absolute value; from 0.

    It makes sharp pictures, but hardly asks the weights near the output: lesson 12 shows it. Needs ``nn.ReLU`` or
    ``nn.ReLU6`` modules; raises :class:`CourseError` for a model without. Springenberg et al., 2015.
    """
    images = on_device(model, images)
    with eval_mode(model), _guided(model):
        return _strength(_input_gradient(model, images, targets))


def integrated_gradients(
    model: nn.Module, images: Tensor, targets=None, *, steps: int = 32, baseline: float | Tensor = 0.0
) -> Tensor:
    """Share out the difference in logit between an image and a ``baseline`` over the pixels, with sign.

    The gradient is averaged over ``steps`` midpoints of the straight line from the baseline to the image and multiplied
    by their difference; channels are added. **Completeness**: a map adds up to the difference of the logits, the closer
    the more steps. ``baseline``: a number, or a tensor that broadcasts to the images. Sundararajan, Taly and Yan, 2017.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    >>> _ = linear[1].weight.data.copy_(torch.tensor([[0.0, 0.0], [3.0, -4.0]]))
    >>> integrated_gradients(linear, torch.tensor([[[[1.0, 2.0]]]]), [1]).tolist()
    [[[3.0, -8.0]]]
    """
    whole_number(steps, 1, "steps")
    images = on_device(model, images)
    start = torch.as_tensor(baseline, dtype=torch.float32, device=images.device).expand_as(images)
    with eval_mode(model):
        targets = _decided(model, images, targets)
        total = torch.zeros_like(images)
        for step in range(steps):
            total += _input_gradient(model, torch.lerp(start, images, (step + 0.5) / steps), targets)
    return ((images - start) * total / steps).sum(dim=1).cpu()


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
    layer = find_layer(model, layer)
    images = on_device(model, images).requires_grad_()
    with eval_mode(model), outputs_of(layer) as outputs, torch.enable_grad():
        scores = scores_of(logits_of(model, images), targets)
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
        (slopes,) = torch.autograd.grad(scores.sum(), maps, allow_unused=True)
    if slopes is None:
        raise CourseError(
            "the class scores do not depend on this layer. Choose one that lies before the head."
        )
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    heat = F.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
    heat = F.interpolate(heat.float(), images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    largest = heat.amax(dim=(1, 2), keepdim=True)
    return (heat / largest.clamp_min(torch.finfo(heat.dtype).tiny)).cpu()


def last_grad_cam(model: nn.Module, images: Tensor, targets=None, *, layer=None) -> Tensor:
    """:func:`grad_cam` in the signature of all methods; by default at the last layer that still gives maps."""
    return grad_cam(model, _last_maps(model, images) if layer is None else layer, images, targets)


def _last_maps(model: nn.Module, images: Tensor) -> nn.Module:
    seen = []
    with ExitStack() as hooks, eval_mode(model), torch.no_grad():
        for module in model.modules():
            if not list(module.children()):
                handle = module.register_forward_hook(
                    lambda m, _, out: seen.append((m, getattr(out, "shape", ())))
                )
                hooks.callback(handle.remove)
        run(model, on_device(model, images)[:1])
    maps = [module for module, shape in seen if len(shape) == 4 and shape[2] * shape[3] > 1]
    if not maps:
        raise CourseError("no layer of the model gives feature maps (N, K, h, w). Grad-CAM needs one.")
    return maps[-1]


def _input_gradient(model: nn.Module, images: Tensor, targets) -> Tensor:
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        score = scores_of(logits_of(model, images), targets).sum()
        return torch.autograd.grad(score, images)[0]


def _decided(model: nn.Module, images: Tensor, targets) -> Tensor:
    """The classes, decided once on the images themselves and not again at each changed copy."""
    with torch.no_grad():
        return classes_for(logits_of(model, images), targets)


def _strength(slopes: Tensor) -> Tensor:
    return slopes.abs().amax(dim=1).cpu()


class _PositiveOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slopes):
        return slopes.clamp_min(0)


@contextmanager
def _guided(model: nn.Module) -> Iterator[None]:
    rectifiers = [module for module in model.modules() if isinstance(module, nn.ReLU | nn.ReLU6)]
    if not rectifiers:
        raise CourseError(
            "guided backpropagation found no nn.ReLU or nn.ReLU6 in the model. Use modules instead of F.relu, "
            "or choose another method."
        )
    with ExitStack() as hooks:
        for module in rectifiers:
            handle = module.register_forward_hook(lambda m, _, out: _PositiveOnly.apply(out))
            hooks.callback(handle.remove)
        yield
