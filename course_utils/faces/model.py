"""From an aligned face to a vector: EfficientNet-Lite0 whose last map becomes an embedding."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from course_utils.errors import CourseError
from course_utils.meter import eval_mode
from course_utils.models import CellMeans, FrozenNorms, backbone

STAGES = 6  # of Lite0's seven: what comes after them knows ImageNet's classes, and less about faces
GRID = (2, 2)  # cells of the last map: where something is matters in an aligned face
FEATURES = 192 * GRID[0] * GRID[1]


class Embedder(FrozenNorms):
    """Grey faces (N, 1, H, W) in [0, 1] → embeddings (N, dim), of any length: what counts is their direction.

    ``trunk`` holds the first ``frozen`` of the six stages, which stay as ImageNet made them: what they give can be computed once
    and kept. ``tail`` holds the other stages and averages their map in ``GRID`` cells; ``head`` is linear. All normalisations stay
    as they are. Pictures of another height than ``height`` are resized to it first (bicubic). Lesson 16.

    >>> Embedder(dim=16, pretrained=False)(torch.zeros(2, 1, 112, 92)).shape
    torch.Size([2, 16])
    """

    def __init__(self, dim: int = 160, frozen: int = STAGES, height: int = 112, pretrained: bool = True):
        super().__init__()
        net = backbone("efficientnet_lite0", pretrained=pretrained, in_chans=1)
        self.dim, self.frozen, self.height = dim, frozen, height
        self.mean, self.std = net.input_stats.mean[0], net.input_stats.std[0]
        self.trunk = nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:frozen]).requires_grad_(False)
        self.tail = nn.Sequential(*net.blocks[frozen:STAGES], CellMeans(GRID), nn.Flatten())
        self.head = nn.Linear(FEATURES, dim)
        for module in self.modules():
            if isinstance(module, _NormBase):
                module.requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """What the frozen stages give."""
        if images.shape[-2] != self.height:
            size = (self.height, round(images.shape[-1] * self.height / images.shape[-2]))
            images = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        with torch.no_grad():
            return self.trunk((images - self.mean) / self.std)

    def features(self, maps: torch.Tensor) -> torch.Tensor:
        """What the head sees, (N, 768) of length 1, from what :meth:`maps` gave."""
        return F.normalize(self.tail(maps))

    def from_maps(self, maps: torch.Tensor) -> torch.Tensor:
        """Embeddings from what :meth:`maps` gave."""
        return self.head(self.features(maps))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Embeddings of any length."""
        return self.from_maps(self.maps(images))


def embed(
    net: nn.Module, images: torch.Tensor, device="cpu", flips: bool = True, batch: int = 16
) -> np.ndarray:
    """Embeddings (N, dim) float32 of length 1 for uint8 pictures (N, 1, H, W), in evaluation mode.

    With ``flips`` a picture and its mirror image are embedded and the two added: a face is nearly symmetric.
    ``batch``: how many at once; sixteen fit a processor's fast memory, a GPU is faster with more. Raises :class:`CourseError`
    for pictures that are not uint8.

    >>> embed(Embedder(dim=4, pretrained=False), torch.zeros(3, 1, 64, 52, dtype=torch.uint8)).shape
    (3, 4)
    """
    if images.dtype != torch.uint8:
        raise CourseError(
            f"pictures of {images.dtype}. Valid: torch.uint8, 0 to 255; embed() divides by itself."
        )
    parts = []
    with eval_mode(net), torch.no_grad():
        for some in images.split(batch):
            x = some.to(device).float() / 255
            vectors = F.normalize(net(x)) + F.normalize(net(x.flip(-1))) if flips else net(x)
            parts.append(F.normalize(vectors).cpu())
    return torch.cat(parts).numpy()
