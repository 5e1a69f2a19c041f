"""Augmentation of whole batches: each function changes every image of a batch in its own random way, without a loop.

A transform is called ``transform(images, generator)`` with ``images: (N, C, H, W) float in [0, 1]`` and a CPU
``torch.Generator`` that decides; it returns a new batch of the same shape. Chain them with :func:`chain`. A
:class:`~course_utils.loaders.TensorLoader` applies them before it normalises.

:class:`Mixup` and :class:`CutMix` are batch hooks of the trainer: ``hook(images, targets) -> (images, targets)``.
"""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F


def chain(*transforms):
    """Apply transforms one after another.

    >>> batch = torch.arange(4.0).view(1, 1, 1, 4)
    >>> chain(flip(p=1.0), flip(p=1.0))(batch, torch.Generator()).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def apply(images, generator):
        for transform in transforms:
            images = transform(images, generator)
        return images

    return apply


def flip(p: float = 0.5, vertical: bool = False):
    """Mirror an image left to right (``vertical``: top to bottom) with probability ``p``.

    >>> flip(p=1.0)(torch.tensor([[[[1.0, 2.0]]]]), torch.Generator()).tolist()
    [[[[2.0, 1.0]]]]
    """

    def apply(images, generator):
        chosen = _uniform(len(images), generator, images.device) < p
        return torch.where(chosen.view(-1, 1, 1, 1), images.flip(-2 if vertical else -1), images)

    return apply


def rot90():
    """Turn each square image by 0, 90, 180 or 270 degrees. Raises ``ValueError`` for an image that is not square."""

    def apply(images, generator):
        if images.shape[-1] != images.shape[-2]:
            raise ValueError(
                f"rot90 needs square images, got {tuple(images.shape[-2:])}. Crop or resize first."
            )
        turns = _moved(torch.randint(4, (len(images), 1, 1, 1), generator=generator), images.device)
        flipped = torch.where(turns >= 2, images.flip((-1, -2)), images)
        return torch.where(turns % 2 == 1, flipped.rot90(1, (-2, -1)), flipped)

    return apply


def translate(pixels: int, value: float = 0.0):
    """Shift each image by up to ``pixels`` down and across; what comes in from outside is ``value``.

    This is "pad, then crop at random", the standard augmentation of CIFAR (He et al., 2016).
    """
    return _shift(pixels, lambda images: F.pad(images, (pixels,) * 4, value=value))


def shift_reflect(pixels: int):
    """Shift each image by up to ``pixels`` down and across; the border is reflected."""
    return _shift(pixels, lambda images: F.pad(images, (pixels,) * 4, mode="reflect"))


def _shift(pixels: int, pad):
    def apply(images, generator):
        if pixels == 0:
            return images
        height, width = images.shape[-2:]
        windows = pad(images).unfold(2, height, 1).unfold(3, width, 1)  # (N, C, 2p+1, 2p+1, H, W): views
        dy, dx = _moved(torch.randint(2 * pixels + 1, (2, len(images)), generator=generator), images.device)
        return windows[torch.arange(len(images), device=images.device), :, dy, dx]

    return apply


def random_crop(size: int):
    """Cut a window of ``size`` × ``size`` pixels out of each image, at a random place: (N, C, size, size)."""

    def apply(images, generator):
        height, width = images.shape[-2:]
        if size > min(height, width):
            raise ValueError(f"random_crop({size}) needs images of at least that size, got {height}×{width}.")
        windows = images.unfold(2, size, 1).unfold(3, size, 1)
        dy = _moved(torch.randint(height - size + 1, (len(images),), generator=generator), images.device)
        dx = _moved(torch.randint(width - size + 1, (len(images),), generator=generator), images.device)
        return windows[torch.arange(len(images), device=images.device), :, dy, dx]

    return apply


def affine(degrees: float = 10.0, scale: float = 0.1, shift: float = 0.05, padding: str = "border"):
    """Rotate by up to ±``degrees``, zoom by up to ±``scale`` (a fraction), shift by up to ``shift`` of the size.

    Bilinear; ``padding`` ("zeros", "border" or "reflection") fills what comes in from outside.
    """

    def apply(images, generator):
        n, device = len(images), images.device
        height, width = images.shape[-2:]
        turn, zoom, dy, dx = _uniform((4, n), generator, device) * 2 - 1
        turn, zoom = turn * degrees * torch.pi / 180, 1 / (1 + zoom * scale)
        cos, sin = zoom * turn.cos(), zoom * turn.sin()
        theta = torch.stack(
            [cos, -sin * height / width, 2 * shift * dx, sin * width / height, cos, 2 * shift * dy], dim=1
        ).view(n, 2, 3)
        grid = F.affine_grid(theta.to(images.dtype), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode=padding, align_corners=False)

    return apply


def brightness_contrast(brightness: float = 0.2, contrast: float = 0.2):
    """Scale each image's contrast about its own mean and shift its brightness, by up to the given fractions."""

    def apply(images, generator):
        b, c = (_uniform((2, len(images), 1, 1, 1), generator, images.device) * 2 - 1).to(images.dtype)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        return ((images - mean) * (1 + contrast * c) + mean + brightness * b).clamp(0, 1)

    return apply


def erase(size: int, p: float = 0.5, value: float = 0.0):
    """Cover a square of ``size`` pixels at a random place with ``value``, with probability ``p``.

    DeVries and Taylor, 2017 ("cutout"): the square may hang over the border.
    """

    def apply(images, generator):
        n, device = len(images), images.device
        height, width = images.shape[-2:]
        chosen, cy, cx = _uniform((3, n), generator, device)
        inside = _between(height, cy, size)[:, :, None] & _between(width, cx, size)[:, None, :]
        inside &= (chosen < p).view(-1, 1, 1)
        return images.masked_fill(inside.unsqueeze(1), value)

    return apply


def _between(length, centre, size):
    """(N, length) bool: the ``size`` pixels around ``centre`` (N,), which is in fractions of the length."""
    start = (centre * length).floor() - size // 2
    pixels = torch.arange(length, device=centre.device)
    return (pixels >= start[:, None]) & (pixels < start[:, None] + size)


def _uniform(shape, generator, device):
    """Draw on the CPU and move: the same numbers on every device."""
    return _moved(torch.rand(shape, generator=generator), device)


def _moved(drawn, device):
    """Move what was drawn; on a GPU without waiting until it is through with the work before."""
    return drawn.to(device, non_blocking=device.type == "cuda")


class Mixup:
    """Batch hook: mix each image and its target with another one of the batch, in a random proportion.

    λ ~ Beta(alpha, alpha); images: (N, C, H, W) float; targets: (N,) classes or (N, classes) probabilities become
    (N, classes) probabilities, which ``F.cross_entropy`` takes. It draws from Python's and torch's global
    generators, which a checkpoint keeps. Zhang et al., 2018; lesson 09.

    >>> x, y = Mixup(classes=3)(torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 2, 2]))
    >>> y.shape, [round(total, 4) for total in y.sum(dim=1).tolist()]
    (torch.Size([4, 3]), [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, classes: int, alpha: float = 0.2):
        self.classes, self.alpha = classes, alpha

    def __call__(self, images, targets):
        """Return the mixed batch."""
        share = random.betavariate(self.alpha, self.alpha)
        order = _moved(torch.randperm(len(images)), images.device)
        targets = soft(targets, self.classes)
        return images.lerp(images[order], 1 - share), targets.lerp(targets[order], 1 - share)


class CutMix(Mixup):
    """Batch hook: paste a rectangle of another image of the batch into each, and mix the targets by its area.

    Same shapes and generators as :class:`Mixup`. Yun et al., 2019.
    """

    def __call__(self, images, targets):
        """Return the batch with rectangles pasted in."""
        share = random.betavariate(self.alpha, self.alpha)
        order = _moved(torch.randperm(len(images)), images.device)
        height, width = images.shape[-2:]
        h, w = round(height * (1 - share) ** 0.5), round(width * (1 - share) ** 0.5)
        top, left = random.randint(0, height - h), random.randint(0, width - w)
        images = images.clone()
        images[:, :, top : top + h, left : left + w] = images[order][:, :, top : top + h, left : left + w]
        targets = soft(targets, self.classes)
        return images, targets.lerp(targets[order], h * w / (height * width))


def soft(targets: torch.Tensor, classes: int) -> torch.Tensor:
    """Classes (N,) as probabilities (N, classes); probabilities stay as they are.

    >>> soft(torch.tensor([1]), classes=2).tolist()
    [[0.0, 1.0]]
    """
    return targets if targets.is_floating_point() else F.one_hot(targets, classes).float()
