"""Pictures with boxes: the blood cells against their own files, and the generated scenes against their promises."""

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import paths, runtime
from course_utils.data import card, forget_sources, load, sources_used
from course_utils.errors import DataError
from course_utils.synthetic import scenes

MIRROR = Path(os.environ.get("COURSE_MIRROR") or paths.ROOT.parent / "shared" / "data")
ENTRY = card("bccd")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_MIRROR", str(MIRROR))
    forget_sources()


@pytest.fixture
def real():
    if not (MIRROR / ENTRY.sources[0]["mirror"]).exists():
        pytest.skip("the real files are not here: set COURSE_MIRROR to a folder that holds them")


def check(data, split, height, width):
    count = ENTRY.splits[split]
    assert data.images.shape == (count, 3, height, width) and data.images.dtype == torch.uint8
    assert data.images.is_contiguous()
    assert len(data.boxes) == len(data.labels) == len(data.names) == len(set(data.names)) == count
    for boxes, labels in zip(data.boxes, data.labels, strict=True):
        assert (
            boxes.shape == (len(labels), 4) and boxes.dtype == torch.float32 and labels.dtype == torch.int64
        )
        assert (boxes[:, 2:] > boxes[:, :2]).all() and boxes.min() >= 0
        assert boxes[:, 2].max() <= width and boxes[:, 3].max() <= height
        assert labels.min() >= 0 and labels.max() < len(data.classes) == len(ENTRY.classes)
    assert (data.split, data.card.name, sources_used()["bccd"]) == (split, "bccd", data.source)


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("split", ENTRY.splits)
def test_blood_cells_keep_the_contract(split):
    data = load("bccd", split, source="real")
    check(data, split, 480, 640)
    assert data.classes == ENTRY.classes and data.source == "mirror"
    folder = runtime.cache_dir() / "bccd" / "BCCD"
    assert data.names == (folder / f"ImageSets/Main/{split}.txt").read_text().split()
    for i in range(0, len(data), 20):
        picture = np.asarray(Image.open(folder / f"JPEGImages/{data.names[i]}.jpg"))
        assert np.array_equal(data.images[i].permute(1, 2, 0), picture)
        first = ElementTree.parse(folder / f"Annotations/{data.names[i]}.xml").find("object")  # noqa: S314 - its hash is known
        assert data.classes[data.labels[i][0]] == first.findtext("name")
        corners = ("xmin", "ymin", "xmax", "ymax")
        assert data.boxes[i][0].tolist() == [float(first.findtext(f"bndbox/{corner}")) for corner in corners]


@pytest.mark.usefixtures("real")
def test_the_counts_of_the_card():
    counts = [load("bccd", split, source="real", size=64).counts().sum(0).tolist() for split in ENTRY.splits]
    assert counts == [[2381, 214, 209], [967, 87, 83], [805, 71, 69]]
    assert load("bccd", source="real", size=64).counts().sum(0).tolist() == [4153, 372, 361]


@pytest.mark.usefixtures("real")
def test_boxes_are_scaled_with_the_pictures():
    whole, small = (load("bccd", "test", source="real", size=size) for size in (640, 320))
    check(small, "test", 240, 320)
    assert torch.allclose(small.boxes[3] * 2, whole.boxes[3])


@pytest.mark.parametrize("split", ["test", "val"])
def test_scenes_keep_the_contract(split, capsys):
    data = load("bccd", split, source="embedded", size=160)
    check(data, split, 120, 160)
    assert data.source == ENTRY.embedded and capsys.readouterr().out == ""
    assert (data.counts().sum(0) > 40).all()
    again = load("bccd", split, source="embedded", size=160)
    assert torch.equal(data.images, again.images)


def test_sides_of_the_scenes_share_nothing():
    sides = [scenes.ingredients(split) for split in ("train", "test")]
    rows = [{image.tobytes() for digits in stock.digits for image in digits} for stock in sides]
    assert not rows[0] & rows[1]
    assert not set(scenes.PHOTOGRAPHS["train"]) & set(scenes.PHOTOGRAPHS["test"])


def test_boxes_of_scenes_are_exact(monkeypatch):
    """On black, where digits of the scene do not touch, each box is the bounding box of its bright pixels."""
    monkeypatch.setattr(scenes, "MAX_OVERLAP", -1)  # no box may come near another
    monkeypatch.setattr(scenes, "_covered", lambda a, b: _near(a, b))
    monkeypatch.setattr(scenes, "_draw", lambda under, ink, random: np.copyto(under, 255 * ink[:, :, None]))
    stock = scenes.ingredients("test")._replace(photographs=[np.zeros((90, 120, 3), np.uint8)])
    seen = 0
    for seed in range(8):
        scene = scenes.digit_scene(stock, 320, seed)
        ink = scene.image[:, :, 0] >= 32  # an eighth of 255, rounded
        for left, top, right, bottom in scene.boxes.astype(int):
            inside = np.argwhere(ink[top:bottom, left:right])
            assert inside.min(0).tolist() == [0, 0]
            assert (inside.max(0) + 1).tolist() == [bottom - top, right - left]
            ink[top:bottom, left:right] = False
            seen += 1
        assert not ink.any(), "ink outside the boxes"
    assert seen > 20


def _near(a, b):
    apart = min(a[2], b[2]) + 2 < max(a[0], b[0]) or min(a[3], b[3]) + 2 < max(a[1], b[1])
    return -2 if apart else 1


def test_scenes_have_several_sizes_and_overlaps():
    data = load("bccd", "test", source="embedded", size=640)
    sides = torch.cat([(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in data.boxes]).sqrt()
    assert all(share > 0.15 for share in ((sides < 60).float().mean(), (sides > 120).float().mean()))
    overlaps = [scenes._covered(a, b) for boxes in data.boxes for i, a in enumerate(boxes) for b in boxes[:i]]
    assert max(overlaps) <= scenes.MAX_OVERLAP and sum(o > 0.05 for o in overlaps) > 30


def test_subset_takes_indices_and_masks():
    data = load("bccd", "test", source="embedded", size=64)
    some = data.subset([5, 2])
    assert some.names == ["test_005", "test_002"] and torch.equal(some.boxes[1], data.boxes[2])
    assert len(data.subset(np.arange(len(data)) < 7)) == 7 and some.source == data.source


def test_a_subset_may_be_empty():
    data = load("bccd", "test", source="embedded", size=64)
    for nothing in ([], np.zeros(len(data), bool)):
        part = data.subset(nothing)
        assert len(part) == 0 and part.images.shape == (0, 3, 48, 64) and part.counts().shape == (0, 3)
        assert part.counts().dtype == torch.int64


def test_a_wrong_size_is_named():
    with pytest.raises(DataError, match="size=2"):
        load("bccd", "test", source="embedded", size=2)
