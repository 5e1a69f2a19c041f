"""The electron-microscope stack and the generated sections that stand in for it."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from test_data_load import _no_network, real  # noqa: F401 - the fixture keeps the network away here too

from course_utils.data import fetch, load, sources_used, verify
from course_utils.data.segmentation import MaskSet
from course_utils.errors import DataError
from course_utils.loaders import TensorLoader
from course_utils.synthetic.membranes import sections

SPLITS = {"train": range(24), "test": range(24, 30), "all": range(30)}


def check_contract(data, split, size):
    n = len(SPLITS[split])
    assert isinstance(data, MaskSet) and (data.name, data.split, len(data)) == ("isbi_em", split, n)
    assert data.images.shape == (n, 1, size, size) and data.images.dtype == torch.uint8
    assert data.masks.shape == (n, size, size) and data.masks.dtype == torch.uint8
    assert data.images.is_contiguous() and data.masks.unique().tolist() == [0, 1]
    assert data.classes == ("cell", "membrane") and data.names == [f"section {i}" for i in SPLITS[split]]
    image, mask = data[1]
    assert image.shape == (1, size, size) and torch.equal(mask, data.masks[1])
    assert sources_used() == {"isbi_em": data.source}


def test_the_real_stack_keeps_the_contract(monkeypatch):
    real("isbi_em", monkeypatch)
    for split, source in (("train", "mirror"), ("test", "cache"), ("all", "cache")):
        data = load("isbi_em", split, source="real")
        check_contract(data, split, 512)
        assert data.source == source
    assert fetch("isbi_em") == "cache" and len(verify("isbi_em")) == 60
    assert all(ok for _, ok, _ in verify("isbi_em"))
    share = [load("isbi_em", split, source="real").masks.float().mean().item() for split in ("train", "test")]
    assert share == pytest.approx([0.2254, 0.1965], abs=1e-4)


def test_the_files_are_read_in_the_order_of_the_stack(monkeypatch):
    entry = real("isbi_em", monkeypatch)
    from course_utils.data.fetch import locate

    folder, _ = locate(entry)
    data, window = load("isbi_em", "test", source="real"), load("isbi_em", "test", source="real", size=100)
    with Image.open(folder / "train" / "image" / "26.png") as image:
        assert np.array_equal(data.images[2, 0].numpy(), np.asarray(image))
    with Image.open(folder / "train" / "label" / "26.png") as label:
        assert np.array_equal(data.masks[2].numpy() == 1, np.asarray(label) == 0)
    assert torch.equal(window.images, data.images[:, :, 206:306, 206:306])
    assert torch.equal(window.masks, data.masks[:, 206:306, 206:306])


@pytest.mark.parametrize("split", SPLITS)
def test_the_stand_in_keeps_the_contract(split, capsys):
    data = load("isbi_em", split, source="embedded", size=96)
    check_contract(data, split, 96)
    assert data.source == "generated: cells with touching membranes"
    assert capsys.readouterr().out == ""


def test_splits_are_contiguous_parts_of_the_whole():
    parts = [load("isbi_em", split, source="embedded", size=64) for split in ("train", "test")]
    whole = load("isbi_em", source="embedded", size=64)
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.masks for part in parts]), whole.masks)


@pytest.mark.parametrize("source", ["embedded", "real"])
def test_a_window_larger_than_a_section_is_named(source, monkeypatch):
    if source == "real":
        real("isbi_em", monkeypatch)
    with pytest.raises(DataError, match=r"size=600 of isbi_em is not valid\. Valid: a window of 4 to 512"):
        load("isbi_em", source=source, size=600)


def test_subset_counts_and_a_loader():
    data = load("isbi_em", "test", source="embedded", size=64)
    some = data.subset([4, 1])
    assert some.names == ["section 28", "section 25"] and torch.equal(some.masks, data.masks[[4, 1]])
    assert data.subset(np.array([True] + [False] * 5)).names == ["section 24"]
    counts = data.counts()
    assert counts.shape == (6, 2) and counts.sum(1).tolist() == [64 * 64] * 6
    batches = list(TensorLoader(data, batch_size=4))
    assert [y.shape for _, y in batches] == [(4, 64, 64), (2, 64, 64)] and "masks" in repr(data)


def test_sections_follow_from_seed_size_and_number():
    whole, later = sections(0, 3, size=80), sections(2, 1, size=80)
    for a, b in zip(whole, later, strict=True):
        assert np.array_equal(a[2], b[0])
    other = sections(0, 1, size=80, seed=1)
    assert (other[0][0] != whole[0][0]).mean() > 0.9


def test_sections_look_like_tissue():
    images, masks, cells = sections(0, 4, size=256)
    assert 0.17 < masks.mean() < 0.27  # the real stack has 0.22
    assert images[masks == 0].mean() - images[masks == 1].mean() > 30
    for image, mask, own in zip(images, masks, cells, strict=True):
        labels, number = ndimage.label(mask == 0)
        assert 15 < number < 90
        for region in range(1, number + 1):  # membranes are closed: no area holds two cells
            assert len(np.unique(own[labels == region])) == 1
        error = min((mask != (image < t)).mean() for t in range(40, 200, 4))
        assert error > 0.1  # no threshold does the task
    change = [(masks[i] != masks[i + 1]).mean() for i in range(3)]
    apart = (masks[0] != sections(25, 1, size=256)[1][0]).mean()
    assert max(change) < 0.6 * apart  # neighbours are alike, distant sections are not
