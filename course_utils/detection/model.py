"""A small single-stage detector without anchors: FCOS on EfficientNet-Lite0."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from course_utils.detection.points import STRIDES
from course_utils.models import FrozenNorms, backbone

STAGES = (2, 4, 6)  # the stages of Lite0 whose maps have the strides 8, 16 and 32
CHANNELS = (40, 112, 320)


class Pyramid(FrozenNorms):
    """Lite0 and a feature pyramid: pictures (N, 3, H, W) in [0, 1] → three maps of ``width`` channels, strides 8, 16, 32.

    The last stage knows most and sees least sharply; its map is enlarged and added to the finer ones (Lin et al., 2017).
    The first ``frozen`` of the seven stages stay as ImageNet made them; no normalisation of Lite0 learns in training.

    >>> [tuple(m.shape) for m in Pyramid(width=16, pretrained=False)(torch.zeros(1, 3, 64, 96))]
    [(1, 16, 8, 12), (1, 16, 4, 6), (1, 16, 2, 3)]
    """

    def __init__(self, width: int = 64, frozen: int = 2, pretrained: bool = True):
        super().__init__()
        net = backbone("efficientnet_lite0", pretrained=pretrained)
        self.stem = nn.Sequential(net.conv_stem, net.bn1)
        self.stages = net.blocks
        self.mean, self.std, self.out_channels = net.input_stats.mean[0], net.input_stats.std[0], width
        for module in self.modules():
            if isinstance(module, _NormBase):
                module.requires_grad_(False)
        for part in (self.stem, *self.stages[:frozen]):
            part.requires_grad_(False)
        self.across = nn.ModuleList(nn.Conv2d(channels, width, kernel_size=1) for channels in CHANNELS)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in CHANNELS)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The three maps, finest first."""
        x, maps = self.stem((images - self.mean) / self.std), []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in STAGES:
                maps.append(self.across[len(maps)](x))
        for i in (1, 0):
            maps[i] = maps[i] + F.interpolate(maps[i + 1], size=maps[i].shape[-2:])
        return [smooth(m) for smooth, m in zip(self.smooth, maps, strict=True)]


class Detector(nn.Module):
    """Says at each of P places what is there: pictures (N, 3, H, W) in [0, 1] → (N, P, num_classes + 5).

    The last axis holds a logit for each class, the logarithms of the four distances to the sides of the box in strides
    (left, top, right, bottom), and the logit of the centre-ness. P is the number of places of the three strides together,
    as :func:`~course_utils.detection.locations` lists them. Lesson 14; Tian et al., 2019.

    >>> Detector(num_classes=3, width=16, pretrained=False)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 84, 8])
    """

    def __init__(self, num_classes: int, width: int = 64, frozen: int = 2, pretrained: bool = True):
        super().__init__()
        self.num_classes, self.strides = num_classes, STRIDES
        self.pyramid = Pyramid(width, frozen, pretrained)
        self.what, self.where = _tower(width), _tower(width)
        self.score = nn.Conv2d(width, num_classes, kernel_size=3, padding=1)
        self.box = nn.Conv2d(width, 5, kernel_size=3, padding=1)
        self.scale = nn.Parameter(torch.ones(len(STRIDES)))
        for layer in (self.score, self.box):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(
            self.score.bias, -math.log(99)
        )  # every place starts at a chance of one in a hundred
        nn.init.constant_(self.box.bias[:4], 0.7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What each place says."""
        says = []
        for scale, level in zip(self.scale, self.pyramid(images), strict=True):
            box = self.box(self.where(level))
            box = torch.cat([box[:, :4] * scale, box[:, 4:]], dim=1)
            says.append(torch.cat([self.score(self.what(level)), box], dim=1).flatten(2))
        return torch.cat(says, dim=2).transpose(1, 2)


def _tower(width: int) -> nn.Sequential:
    layers = []
    for _ in range(2):
        layers += [
            nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(8, width),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
