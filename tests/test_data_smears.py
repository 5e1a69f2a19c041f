"""Smears with kinds of white cells: the published labels against their files, the generated smears against their promises."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import paths, runtime
from course_utils.data import card, forget_sources, load, sources_used
from course_utils.errors import DataError
from course_utils.synthetic import smears

MIRROR = Path(os.environ.get("COURSE_MIRROR") or paths.ROOT.parent / "shared" / "data")
ENTRY = card("white_cells")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_MIRROR", str(MIRROR))
    forget_sources()


def test_published_kinds_are_taken_where_row_and_picture_agree():
    if not (MIRROR / ENTRY.sources[0]["mirror"]).exists():
        pytest.skip("the real files are not here: set COURSE_MIRROR to a folder that holds them")
    data = load("white_cells", source="real", size=160)
    with (runtime.cache_dir() / "white_cells" / "labels.csv").open(newline="") as file:
        said = {int(row["Image"]): row["Category"] for row in csv.DictReader(file)}
    white = data.counts()[:, data.classes.index("WBC")]
    for name, kind, boxes in zip(data.names, data.kinds.tolist(), white.tolist(), strict=True):
        text = said[int(name[-5:])].strip().lower()
        assert (
            (data.kind_names[kind] == text and boxes == 1)
            if kind >= 0
            else ("," in text or not text or boxes != 1)
        )
    assert torch.bincount(data.kinds + 1).tolist() == [23, 202, 84, 33, 20, 2]
    assert data.white_cells(32).shape == (341, 3, 32, 32)
    assert (
        (data.patients == "").all()
        and data.source == "mirror"
        and sources_used() == {"white_cells": "mirror"}
    )


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_stand_in_has_the_same_shape_and_known_patients(split):
    data = load("white_cells", split, source="embedded", size=96)
    assert data.images.shape == (ENTRY.splits[split], 3, 72, 96) and data.kind_names == ENTRY.classes
    assert len(data.kinds) == len(data.patients) == len(data.boxes) == len(data)
    assert (data.kinds >= 0).float().mean() > 0.85 and "generated" in data.source
    assert len(data.subset([])) == len(data.subset([]).patients) == len(data.subset([]).kinds) == 0
    part = data.subset([3, 1])
    assert part.patients.tolist() == data.patients[[3, 1]].tolist() and torch.equal(
        part.kinds, data.kinds[[3, 1]]
    )


def test_nobody_is_in_two_splits():
    people = [set(load("white_cells", split, source="embedded", size=32).patients) for split in ENTRY.splits]
    assert all(len(p) > 2 for p in people) and len(set.union(*people)) == sum(map(len, people))


def test_a_cell_is_cut_out_around_its_box():
    data = load("white_cells", "test", source="embedded", size=160)
    one = data.subset([int(torch.nonzero(data.kinds >= 0)[0])])
    box = one.boxes[0][one.labels[0] == 1][0]
    marked = torch.zeros_like(one.images)
    x1, y1, x2, y2 = box.int().tolist()
    marked[0, :, y1:y2, x1:x2] = 255
    one.images = marked
    cell = one.white_cells(60)[0, 0].float() / 255
    assert cell[30, 30] == 1 and 0.4 < cell.mean() < 0.9
    nobody = data.subset([0])
    nobody.kinds[:] = -1
    with pytest.raises(DataError, match=r"none of these 1 pictures"):
        nobody.white_cells(16)


def test_the_same_seed_gives_the_same_smear_and_another_one_not():
    a, b, c = (smears.smear(96, seed=s) for s in (1, 1, 2))
    assert np.array_equal(a.image, b.image) and not np.array_equal(a.image, c.image)


@pytest.mark.parametrize("kind", range(-2, 5))
def test_a_box_holds_its_cell_and_touches_it(kind):
    label, rng = {-2: 2, -1: 0}.get(kind, 1), np.random.default_rng(kind + 9)
    for centre in ((60.3, 81.7), (1.2, 80.0), (70.0, 158.5)):
        dyes = np.zeros((2, 120, 160), np.float32)
        x1, y1, x2, y2 = smears._draw(dyes, centre, 5.0 if label == 2 else 24.0, label, kind, rng)
        rows, columns = np.nonzero(dyes.sum(0) > 0.05)
        extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(np.array([x1, y1, x2, y2]) - extent).max() <= 2
        assert 0 <= x1 < x2 <= 160 and 0 <= y1 < y2 <= 120


@pytest.mark.parametrize("size", [4, 33, 320])
def test_a_smear_of_any_size_keeps_its_boxes_inside(size):
    for seed in range(4):
        field = smears.smear(size, seed=seed)
        assert (
            field.boxes.min() >= 0
            and field.boxes[:, 2].max() <= size
            and field.boxes[:, 3].max() <= size * 3 // 4
        )
        assert (field.boxes[:, 2:] > field.boxes[:, :2]).all() and (
            (field.kinds >= 0) == (field.labels == 1)
        ).all()


def test_the_middle_of_every_cell_is_inside(monkeypatch):
    middles, draw = [], smears._draw
    monkeypatch.setattr(smears, "_draw", lambda dyes, at, *rest: middles.append(at) or draw(dyes, at, *rest))
    for seed in range(8):
        smears.smear(96, seed=seed)
    assert len(middles) > 80 and (np.array(middles) >= 0).all() and (np.array(middles) <= (72, 96)).all()


def test_stain_belongs_to_the_patient():
    colours = {
        p: [np.median(smears.smear(64, seed=[p, i], who=smears.patient(p)).image, (0, 1)) for i in range(4)]
        for p in range(8)
    }
    within = np.mean([np.std(c, 0).mean() for c in colours.values()])
    between = np.std([np.mean(c, 0) for c in colours.values()], 0).mean()
    assert between > 2 * within
