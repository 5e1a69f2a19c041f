"""One backbone, one pyramid, four questions: what each pixel is, where the lane is, what is where, what kind of scene it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from course_utils.detection import Detector
from course_utils.errors import CourseError, choice
from course_utils.models import CellMeans, FrozenNorms, backbone

STAGES = {
    2: (0, 16),
    4: (1, 24),
    8: (2, 40),
    16: (4, 112),
    32: (6, 320),
}  # stride → stage of Lite0, channels of its map
GRID = (2, 4)  # the scene is read from so many cells


class DriveNet(FrozenNorms):
    """Pictures (N, 3, H, W) in [0, 1] → a dict of what each head says.

    ``pixels`` (N, K, H/s, W/s): logits of the classes, s being ``finest``; ``lane`` (N, 1, H/s, W/s): the logit of "my lane";
    ``boxes`` (N, P, T + 5): as :class:`~course_utils.detection.Detector` gives, at the ``strides``; ``tags`` (N, sum of
    ``tags``): the logits of each group of scene tags. ``heads`` names those to build. The first ``frozen`` of Lite0's
    seven stages and all of its normalisations stay as ImageNet made them. Raises :class:`CourseError` for a head that is
    none, a ``finest`` that is not 2, 4, 8 or 16, and a stride of the boxes that no map has.
    Lesson 18; Lin et al., 2017; Teichmann et al., 2018.

    >>> says = DriveNet(11, 3, (4, 3), size=(96, 128), width=16, pretrained=False)(torch.zeros(2, 3, 96, 128))
    >>> {name: tuple(said.shape) for name, said in says.items()}
    {'pixels': (2, 11, 24, 32), 'lane': (2, 1, 24, 32), 'boxes': (2, 1008, 8), 'tags': (2, 7)}
    """

    def __init__(
        self,
        classes: int,
        things: int,
        tags: Sequence[int] = (),
        *,
        size: tuple[int, int],
        width: int = 32,
        finest: int = 4,
        strides: tuple[int, ...] = (4, 8, 16),
        frozen: int = 7,
        heads: Sequence[str] = ("pixels", "lane", "boxes", "tags"),
        pretrained: bool = True,
    ):
        super().__init__()
        choice(finest, (2, 4, 8, 16), "finest stride")
        net = backbone("efficientnet_lite0", pretrained=pretrained)
        self.stem, self.stages = nn.Sequential(net.conv_stem, net.bn1), net.blocks
        self.mean, self.std = net.input_stats.mean[0], net.input_stats.std[0]
        self.size, self.strides, self.tags, self.num_classes = size, strides, tuple(tags), things
        self.freeze(frozen)
        self.levels = [stride for stride in STAGES if stride >= finest]
        self.across = nn.ModuleList(nn.Conv2d(STAGES[s][1], width, kernel_size=1) for s in self.levels)
        self.smooth = nn.ModuleList(_smooth(width, apart=s == 2) for s in self.levels)
        self.context = nn.Sequential(nn.Conv2d(STAGES[32][1], width, kernel_size=1), nn.ReLU())
        built = {
            "pixels": lambda: nn.Conv2d(width, classes, kernel_size=1),
            "lane": lambda: nn.Sequential(_smooth(width), nn.Conv2d(width, 1, kernel_size=1)),
            "boxes": lambda: _box_head(things, width, len(strides)),
            "tags": lambda: nn.Sequential(
                CellMeans(GRID), nn.Flatten(), nn.Linear(GRID[0] * GRID[1] * width, sum(tags))
            ),
        }
        if "boxes" in heads and (not strides or set(strides) - set(self.levels)):
            raise CourseError(
                f"strides={strides!r} is not valid with finest={finest}. Valid: one or more of {self.levels}."
            )
        self.heads = nn.ModuleDict({name: built[choice(name, built, "head")]() for name in heads})

    def freeze(self, stages: int) -> None:
        """Keep the first ``stages`` of the seven, and every normalisation of Lite0, as they are; the others learn."""
        for i, part in enumerate((self.stem, *self.stages)):
            part.requires_grad_(i > stages)
        for module in (*self.stem.modules(), *self.stages.modules()):
            if isinstance(module, _NormBase):
                module.requires_grad_(False).eval()

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Channels, rows and columns of the maps of Lite0."""
        return [(STAGES[s][1], *(-(-side // s) for side in self.size)) for s in self.levels]

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What Lite0 makes of pictures: a map for each of ``self.levels``, finest first."""
        x, found = self.stem((images - self.mean) / self.std), []
        wanted = {STAGES[s][0] for s in self.levels}
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in wanted:
                found.append(x)
        return found

    def packed(self, images: torch.Tensor) -> torch.Tensor:
        """The maps as one row for each picture, (N, D): to be computed once where Lite0 does not learn."""
        return torch.cat([m.flatten(1) for m in self.maps(images)], dim=1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """What each head says of pictures (N, 3, H, W), or of rows (N, D) that :meth:`packed` has made of them."""
        if x.ndim == 2:
            parts = x.split([c * h * w for c, h, w in self.shapes], dim=1)
            maps = [part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)]
        else:
            maps = self.maps(x)
        whole = self.context(maps[-1].mean((2, 3), keepdim=True))
        maps = [across(m) for across, m in zip(self.across, maps, strict=True)]
        maps[-1] = self.smooth[-1](maps[-1] + whole)
        for i in range(len(maps) - 2, -1, -1):
            up = F.interpolate(maps[i + 1], size=maps[i].shape[-2:], mode="bilinear", align_corners=False)
            maps[i] = self.smooth[i](maps[i] + up)
        known = dict(zip(self.levels, maps, strict=True))
        reads = {
            "pixels": maps[0],
            "lane": maps[0],
            "tags": known[16],
        }
        if "boxes" in self.heads:
            reads["boxes"] = [known[s] for s in self.strides]
        return {name: head(reads[name]) for name, head in self.heads.items()}


def _smooth(width: int, apart: bool = False) -> nn.Sequential:
    """A 3×3 convolution; ``apart``: in two, of each channel and then of each pixel, for maps with many pixels."""
    if apart:
        mix = [
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.Conv2d(width, width, 1, bias=False),
        ]
    else:
        mix = [nn.Conv2d(width, width, 3, padding=1, bias=False)]
    return nn.Sequential(*mix, nn.BatchNorm2d(width), nn.ReLU())


def _box_head(things: int, width: int, levels: int) -> Detector:
    """The towers of lesson 14, fed with maps of so many levels instead of pictures."""
    head = Detector(things, width, pretrained=False)
    head.pyramid, head.scale = nn.Identity(), nn.Parameter(torch.ones(levels))
    return head
