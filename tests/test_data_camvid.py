"""CamVid's frames and the generated drives that stand in for them."""

import numpy as np
import pytest
import torch
from PIL import Image
from test_data_load import _no_network, real  # noqa: F401 - the fixture keeps the network away here too

from course_utils.data import card, fetch, load, sources_used, verify
from course_utils.data.segmentation import IGNORE, MaskSet
from course_utils.errors import DataError
from course_utils.runtime import cache_dir
from course_utils.synthetic.dashcam import CLASSES

SPLITS = {"train": 123, "val": 34, "test": 78}


def check_contract(data, split, n, size):
    shape = (size, round(size * 4 / 3))
    assert isinstance(data, MaskSet) and (data.name, data.split, len(data)) == ("camvid", split, n)
    assert data.images.shape == (n, 3, *shape) and data.images.dtype == torch.uint8
    assert data.masks.shape == (n, *shape) and data.masks.dtype == torch.uint8
    assert data.images.is_contiguous() and data.classes == CLASSES
    assert data.masks.unique().tolist() == [*range(11), IGNORE]
    assert len(set(data.names)) == n and sources_used() == {"camvid": data.source}


def test_the_real_frames_keep_the_contract(monkeypatch):
    real("camvid", monkeypatch)
    for split, n in SPLITS.items():
        data = load("camvid", split, source="real")
        check_contract(data, split, n, 360)
        assert data.source == ("mirror" if split == "train" else "cache")
    assert fetch("camvid") == "cache" and len(verify("camvid")) == 470
    assert all(ok for _, ok, _ in verify("camvid"))
    share = np.bincount(data.masks.flatten().numpy(), minlength=256) / data.masks.numel()
    assert share[[0, 3, IGNORE]] == pytest.approx([0.1685, 0.2553, 0.0363], abs=1e-4)
    assert {name.split("_")[0] for name in data.names} == {"0001TP", "Seq05VD"}
    picture = np.asarray(Image.open(cache_dir() / "camvid" / "CamVid" / "test" / f"{data.names[5]}.png"))
    assert np.array_equal(data.images[5].permute(1, 2, 0).numpy(), picture)
    small = load("camvid", "val", source="real", size=90)
    check_contract(small, "val", 34, 90)


def test_generated_drives_have_the_shape_of_the_real_frames():
    seen = {}
    for split, n in SPLITS.items():
        data = load("camvid", split, source="embedded", size=96)
        check_contract(data, split, n, 96)
        assert data.source == card("camvid").embedded
        seen[split] = {name.split("_")[0] for name in data.names}
    assert (
        not seen["train"] & seen["test"]
        and not seen["train"] & seen["val"]
        and not seen["val"] & seen["test"]
    )


@pytest.mark.parametrize("size", [30, 400])
def test_a_wrong_size_is_named(size):
    with pytest.raises(DataError, match=f"size={size} of camvid is not valid. Valid: 48 to 360 rows"):
        load("camvid", "val", source="embedded", size=size)
