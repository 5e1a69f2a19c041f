"""What a channel looks for: the patches that excite it most, and a picture made to excite it. Lesson 12."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.errors import CourseError
from course_utils.explain.common import find_layer, on_device, run, whole_number
from course_utils.meter import eval_mode

# Red, green and blue from brightness, red against blue, and green against both: photographs vary most in the first.
OPPONENT = torch.tensor([[1.0, 0.4, -0.2], [1.0, 0.0, 0.4], [1.0, -0.4, -0.2]])


class _Enough(Exception):  # noqa: N818 - no error: it ends a forward pass
    pass


def activations(model: nn.Module, layer: nn.Module | str, images: Tensor) -> Tensor:
    """The output of ``layer`` for the images, with its graph; the layers after it are not computed.

    ``images``: ``(N, C, H, W)`` float, prepared as for the model. Raises :class:`CourseError` for a layer that is not
    in the model or does not run.

    >>> activations(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(9, 9)), "0", torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 4, 6, 6])
    """
    found: list[Tensor] = []

    def stop(module, inputs, output):
        found.append(output)
        raise _Enough

    handle = find_layer(model, layer).register_forward_hook(stop)
    try:
        with eval_mode(model):
            run(model, images)
    except _Enough:
        return found[0]
    finally:
        handle.remove()
    raise CourseError("the layer did not run in the forward pass. Choose one that the images go through.")


def maximal_patches(
    model: nn.Module,
    layer: nn.Module | str,
    images: Tensor,
    channels: Sequence[int],
    *,
    patches: int = 4,
    size: int = 32,
) -> tuple[Tensor, Tensor, Tensor]:
    """The places where a channel answers most strongly, at most one in each image.

    ``images``: ``(N, C, H, W)`` float. Returns, for each of the K ``channels``, in falling order: the cut-outs
    ``(K, patches, C, size, size)`` around these places (moved inside at the border), the answers ``(K, patches)`` and
    the places ``(K, patches, 3)``: image, row and column in pixels, as if the maps covered the image evenly. That is
    right for padded convolutions; without padding they lie nearer the border than what was seen. Zeiler and Fergus, 2014.
    """
    images = on_device(model, images)
    height, width = images.shape[2:]
    if not 1 <= patches <= len(images) or not 1 <= size <= min(height, width):
        raise CourseError(
            f"patches={patches}, size={size}. Valid: 1 to {len(images)} patches of 1 to {min(height, width)} pixels."
        )
    with torch.no_grad():
        chosen = _channels(channels, model, layer, images)
        maps = torch.cat([activations(model, layer, part)[:, chosen] for part in images.split(8)])
    values, at = maps.flatten(2).max(dim=2)  # (N, K): the best place in each image
    best, which = values.T.topk(patches, dim=1)
    at = at.T.gather(1, which)
    places = torch.stack([which, *_pixels(at, maps, images)], dim=2).cpu()
    cuts = [cut_out(images[i], row, column, size) for i, row, column in places.flatten(0, 1).tolist()]
    return torch.stack(cuts).view(len(best), patches, -1, size, size).cpu(), best.cpu(), places


def atlas(
    model: nn.Module,
    layer: nn.Module | str,
    images: Tensor,
    *,
    rows: int = 6,
    columns: int = 10,
    size: int = 32,
) -> tuple[Tensor, Tensor, Tensor]:
    """Spread what a layer sees over a plane, so that like lies by like, and show a patch for each cell of a grid.

    The layer's vectors, one for each place of each image and scaled to length 1, are laid out by their two main
    directions; the plane is cut into columns of equally many places, and each column into rows. A cell shows the place
    whose vector is nearest the cell's mean. Returns the patches ``(rows, columns, C, size, size)``, their vectors
    ``(rows, columns, K)`` and places ``(rows, columns, 3)``: image, row and column in pixels, as those of
    :func:`maximal_patches`. Raises :class:`CourseError` for fewer places than cells, for patches larger than the images
    and for a layer without two channels of maps. Carter et al., 2019 (who draw the cells by :func:`visualise`).
    """
    images = on_device(model, images)
    side = min(images.shape[2:])
    if not 1 <= size <= side:
        raise CourseError(f"size is {size}. Valid: 1 to {side}, the images' smaller side.")
    with torch.no_grad():
        maps = torch.cat([activations(model, layer, part) for part in images.split(8)])
    if maps.ndim != 4 or maps.shape[1] < 2:
        raise CourseError(
            f"the layer gives {tuple(maps.shape)}. Valid: feature maps (N, K, h, w), K at least 2, to span a plane."
        )
    vectors = F.normalize(maps.float().permute(0, 2, 3, 1).flatten(0, 2), dim=1).cpu()
    if len(vectors) < rows * columns:
        raise CourseError(
            f"the layer has {len(vectors)} places for {rows} × {columns} cells. Give more images."
        )
    centred = vectors - vectors.mean(dim=0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    plane = centred @ directions.T
    chosen = torch.empty(rows, columns, dtype=torch.long)
    for c, strip in enumerate(plane[:, 0].argsort(stable=True).tensor_split(columns)):
        strip = strip[plane[strip, 1].argsort(stable=True)]
        for r, cell in enumerate(strip.tensor_split(rows)):
            distance = (vectors[cell] - vectors[cell].mean(dim=0)).norm(dim=1)
            chosen[r, c] = cell[distance.argmin()]
    which, at = chosen // maps[0, 0].numel(), chosen % maps[0, 0].numel()
    places = torch.stack([which, *_pixels(at, maps, images)], dim=2)
    cuts = [cut_out(images[i], row, column, size) for i, row, column in places.flatten(0, 1).tolist()]
    return torch.stack(cuts).unflatten(0, (rows, columns)).cpu(), vectors[chosen], places


def _pixels(at: Tensor, maps: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column, in pixels of the images, of the centres of places in the flat maps."""
    (height, width), (h, w) = images.shape[2:], maps.shape[2:]
    return ((at // w + 0.5) * height / h).long(), ((at % w + 0.5) * width / w).long()


def cut_out(image: Tensor, row: int, column: int, size: int) -> Tensor:
    """The ``size`` × ``size`` pixels of ``image`` ``(C, H, W)`` around a place, moved inside at the border.

    >>> cut_out(torch.arange(16.0).view(1, 4, 4), 0, 3, 2).tolist()
    [[[2.0, 3.0], [6.0, 7.0]]]
    """
    top, left = (
        min(max(place - size // 2, 0), length - size)
        for place, length in zip((row, column), image.shape[1:], strict=True)
    )
    return image[:, top : top + size, left : left + size]


@torch.enable_grad()
def visualise(
    model: nn.Module,
    layer: nn.Module | str,
    channels: Sequence[int],
    *,
    size: int = 64,
    steps: int = 64,
    lr: float = 0.07,
    jitter: int = 4,
    in_channels: int = 3,
    mean: float = 0.5,
    std: float = 0.5,
    seed: int = 0,
) -> Tensor:
    """Pictures made to excite one channel each, ``(K, in_channels, size, size)`` float in [0, 1].

    Adam raises the channel's mean activation over the map. The picture is a sum of waves in which fine ones count less,
    and it is shifted by up to ``jitter`` pixels at each step: without both, the result is noise that no one can read.
    ``mean`` and ``std`` prepare a picture in [0, 1] for the model. Olah, Mordvintsev and Schubert, 2017.
    """
    whole_number(steps, 1, "steps")
    device = next(model.parameters()).device
    blank = torch.zeros(1, in_channels, size, size, device=device)
    with torch.no_grad():
        chosen = _channels(channels, model, layer, blank)
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :])
    scale = 1 / frequency.clamp_min(1 / size)
    scale = (scale / scale.square().mean().sqrt()).to(device)
    waves = 0.1 * torch.randn(len(chosen), in_channels, *scale.shape, 2, generator=generator)
    waves = waves.to(device).requires_grad_()
    optimizer = torch.optim.Adam([waves], lr)
    for _ in range(steps):
        optimizer.zero_grad()
        down, across = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
        picture = ((_picture(waves, scale, size) - mean) / std).roll((down, across), dims=(2, 3))
        maps = activations(model, layer, picture)
        score = torch.stack([maps[i, c].mean() for i, c in enumerate(chosen)]).sum()
        (waves.grad,) = torch.autograd.grad(-score, waves)
        optimizer.step()
    return _picture(waves.detach(), scale, size).cpu()


def _picture(waves: Tensor, scale: Tensor, size: int) -> Tensor:
    picture = torch.fft.irfft2(torch.view_as_complex(waves) * scale, s=(size, size), norm="ortho")
    if picture.shape[1] == 3:
        picture = torch.einsum("nchw,dc->ndhw", picture, OPPONENT.to(picture.device))
    return torch.sigmoid(picture)


def _channels(channels, model, layer, images) -> list[int]:
    chosen = [int(c) for c in channels]
    maps = activations(model, layer, images[:1])
    if maps.ndim != 4:
        raise CourseError(f"the layer gives {tuple(maps.shape)}. Valid: feature maps (N, K, h, w).")
    if not chosen or not 0 <= min(chosen) <= max(chosen) < maps.shape[1]:
        raise CourseError(f"channels is {chosen}. Valid: numbers from 0 to {maps.shape[1] - 1}.")
    return chosen
