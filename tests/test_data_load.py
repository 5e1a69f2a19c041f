"""One contract over every card, then what is special about each set."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import paths, runtime
from course_utils.data import DataSet, card, cards, fetch, forget_sources, load, sources_used, verify
from course_utils.data.builders import BUILDERS, STAND_INS
from course_utils.data.folders import ImageFolder
from course_utils.data.segmentation import MaskSet
from course_utils.errors import DataError

NAMES = sorted(cards())
SHAPES = {"digits": (1, 8, 8), "elpv": (1, 300, 300), "fashion_mnist": (1, 28, 28)}
TENSORS = [name for name in NAMES if name in SHAPES]
MIRROR = Path(os.environ.get("COURSE_MIRROR") or paths.ROOT.parent / "shared" / "data")
NEEDS_MIRROR = "the real files are not here: set COURSE_MIRROR to a folder that holds them"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    """Downloads fail at once, and nothing touches the user's cache."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "")
    forget_sources()


def real(name, monkeypatch):
    """Make the real files of a set reachable, or skip."""
    entry = card(name)
    if not entry.package:
        if not all((MIRROR / source["mirror"]).exists() for source in entry.sources):
            pytest.skip(f"{name}: {NEEDS_MIRROR}")
        monkeypatch.setenv("COURSE_MIRROR", str(MIRROR))
    return entry


def check_contract(data, name, split, count):
    assert isinstance(data, torch.utils.data.Dataset) and isinstance(data, DataSet)
    assert (data.name, data.split, data.card.name, len(data)) == (name, split, name, count)
    assert data.images.shape == (count, *SHAPES[name]) and data.images.dtype == torch.uint8
    assert data.images.is_contiguous() and data.images.max() > 200
    assert data.targets.shape == (count,) and data.targets.dtype == torch.int64
    assert data.targets.unique().tolist() == list(range(len(data.classes)))
    assert all(len(values) == count for values in data.extra.values())
    image, target = data[1]
    assert image.shape == SHAPES[name] and isinstance(target, int)
    assert sources_used() == {name: data.source}


def test_every_card_has_a_builder_and_every_download_a_stand_in():
    assert sorted(BUILDERS) == NAMES
    assert sorted(STAND_INS) == [name for name in NAMES if not cards()[name].package]


@pytest.mark.parametrize("name", TENSORS)
def test_real_data_keeps_the_contract(name, monkeypatch):
    entry = real(name, monkeypatch)
    for split, count in entry.splits.items():
        data = load(name, split, source="real")
        check_contract(data, name, split, count)
        assert data.source == (
            "package" if entry.package else "mirror" if split == next(iter(entry.splits)) else "cache"
        )
        assert data.classes == entry.classes
    assert fetch(name) == ("package" if entry.package else "cache")
    checked = verify(name)
    assert [file for file, _, _ in checked] == list(entry.files) and all(ok for _, ok, _ in checked)


@pytest.mark.parametrize("name", [name for name in TENSORS if not cards()[name].package])
def test_stand_ins_have_the_shape_of_the_real_data(name, capsys):
    entry = card(name)
    for split in (*entry.splits, "all"):
        data = load(name, split, source="embedded")
        check_contract(data, name, split, len(data))
        assert len(data.classes) == len(entry.classes)
        assert data.source == entry.embedded
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("source", ["real", "embedded", "auto"])
def test_data_in_a_package_is_real_in_every_mode(source):
    assert load("digits", "test", source).source == load("photographs", source=source).source == "package"


def test_auto_falls_back_with_one_line_and_tries_once(monkeypatch, capsys):
    calls = []
    locate = load.__globals__["locate"]
    monkeypatch.setitem(load.__globals__, "locate", lambda entry: calls.append(entry) or locate(entry))
    train = load("fashion_mnist", "train", source="auto")
    test = load("fashion_mnist", "test", source="auto")
    assert train.source == test.source == "stand-in: digits 28x28"
    out = capsys.readouterr()
    assert len(out.out.splitlines()) == 1 and out.err == ""
    assert "ATTENTION: not the real Fashion-MNIST" in out.out and str(runtime.cache_dir()) not in out.out
    assert len(calls) == 1
    with pytest.raises(DataError, match="COURSE_MIRROR"):
        load("fashion_mnist", source="real")


def test_the_source_follows_the_run(monkeypatch):
    monkeypatch.setenv("COURSE_DATA_SOURCE", "embedded")
    assert load("fashion_mnist", "test").source == "stand-in: digits 28x28"
    forget_sources()
    assert sources_used() == {}


def test_all_is_the_splits_together(monkeypatch):
    parts = [load("digits", split) for split in ("train", "test")]
    whole = load("digits")
    assert len(whole) == 1797
    rows = lambda sets: sorted(bytes(image.numpy()) for data in sets for image in data.images)  # noqa: E731
    assert rows(parts) == rows([whole])


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    data, reference = load("digits"), load_digits()
    assert np.array_equal(data.targets.numpy(), reference.target)
    assert np.array_equal(data.images[:, 0].numpy(), np.rint(reference.images * 255 / 16))


def test_the_split_of_digits_is_fixed_and_stratified():
    test = load("digits", "test")
    assert test.targets.bincount().tolist() == [44, 46, 44, 46, 45, 46, 45, 45, 44, 45]
    weights = torch.arange(1, len(test) + 1)
    assert int((test.images.flatten(1).sum(1) * weights).sum()) == 502994873


def test_size_of_digits():
    data = load("digits", "test", size=28)
    assert data.images.shape == (450, 1, 28, 28)
    small = torch.nn.functional.interpolate(
        load("digits", "test").images.float(), 28, mode="bilinear", antialias=True
    )
    assert (data.images - small).abs().max() <= 1


def test_elpv_is_that_of_its_package_at_any_size():
    import elpv_dataset

    folder = Path(elpv_dataset.__file__).parent / "data"
    rows = np.genfromtxt(
        folder / "labels.csv", dtype=["U19", "f8", "U4"], names=["path", "probability", "type"]
    )
    data = load("elpv")
    for i in range(0, len(data), 41):
        assert np.array_equal(data.images[i, 0].numpy(), np.asarray(Image.open(folder / rows["path"][i])))
    assert np.array_equal(data.extra["probability"], rows["probability"])
    assert np.array_equal(data.extra["module_type"], rows["type"])
    assert np.array_equal(data.targets.numpy(), rows["probability"] > 0.5)
    small = load("elpv", size=64)
    reference = torch.nn.functional.interpolate(data.images[:50].float(), 64, mode="bilinear", antialias=True)
    assert small.images.shape == (2624, 1, 64, 64)
    assert (small.images[:50] - reference).abs().max() <= 1.5
    some = data.subset(data.extra["module_type"] == "mono")
    assert len(some) == 1074 and set(some.extra["module_type"]) == {"mono"} and some.source == "package"


def test_fashion_mnist_looks_like_its_classes(monkeypatch):
    real("fashion_mnist", monkeypatch)
    data = load("fashion_mnist", "test", source="real")
    assert data.targets.bincount().tolist() == [1000] * 10
    assert data.targets[:5].tolist() == [
        9,
        2,
        1,
        1,
        6,
    ]  # the first test pictures: a boot, a pullover, two trousers, a shirt
    assert data.images.float().mean().item() == pytest.approx(73.1, abs=0.1)


def test_photographs():
    from skimage import data as reference

    pictures = load("photographs")
    assert (len(pictures), pictures.source, sources_used()) == (20, "package", {"photographs": "package"})
    for name in pictures:
        image = pictures[name]
        assert image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2] == 3)
    for name in ("astronaut", "camera", "clock", "coffee", "retina"):
        assert np.array_equal(pictures[name], getattr(reference, name)())
    pictures["coffee"][:] = 0
    assert pictures["coffee"].max() > 0
    with pytest.raises(DataError, match=r"unknown photograph 'lena'\. Valid: astronaut"):
        pictures["lena"]


def test_subset_takes_indices_masks_and_tensors():
    data = load("digits", "test")
    for chosen in ([3, 1], np.array([3, 1]), np.array([1, 3])[::-1], torch.tensor([3, 1])):
        assert data.subset(chosen).targets.tolist() == data.targets[[3, 1]].tolist()
    assert len(data.subset(data.targets == 3)) == 46
    assert len(data.subset([])) == 0
    loader = torch.utils.data.DataLoader(data, batch_size=64)
    images, targets = next(iter(loader))
    assert images.shape == (64, 1, 8, 8) and targets.dtype == torch.int64


@pytest.mark.parametrize(
    "data",
    [
        DataSet(torch.zeros(3, 1, 4, 4), torch.arange(3), "abc", {"row": np.arange(3)}),
        MaskSet(torch.zeros(3, 1, 4, 4), torch.arange(3)[:, None, None].expand(3, 4, 4), "abc"),
        ImageFolder(["a", "b", "c"], [0, 1, 2], "abc"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_every_kind_of_set_takes_the_same_subsets(data):
    for chosen in (np.arange(3)[::-1], [-1, 1, 0], torch.tensor([2, 1, 0])):
        assert data.subset(chosen).targets.reshape(3, -1)[:, 0].tolist() == [2, 1, 0]
    for none in ([], np.zeros(3, bool), np.zeros(0, int), ()):
        assert len(data.subset(none)) == 0
    for wrong in ([3], [True, False]):
        with pytest.raises(IndexError):
            data.subset(wrong)


def test_a_set_whose_pictures_belong_to_another_is_not_had_without_them(monkeypatch, capsys):
    wrong = lambda card, folder: {} if card.name == "white_cells" else dict.fromkeys(card.files, "missing")  # noqa: E731
    monkeypatch.setattr(sys.modules["course_utils.data.fetch"], "_wrong", wrong)
    with pytest.raises(DataError, match="bccd: the file"):
        fetch("white_cells")
    assert load("white_cells", "val", source="auto", size=64).source == card("white_cells").embedded
    assert "bccd: the file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mnist",), "unknown dataset 'mnist'. Valid: att_faces, bccd"),
        (("digits", "dev"), "unknown split of digits 'dev'. Valid: train, test, all"),
        (("digits", "all", "fake"), "unknown data source 'fake'. Valid: real, embedded, auto"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(DataError, match=words):
        load(*arguments)


@pytest.mark.parametrize("size", [0, -1, 2.5, "28", 10_000, None, True])
def test_a_wrong_size_is_named(size):
    with pytest.raises(DataError, match="size="):
        load("digits", size=size)


def test_a_wrong_option_is_named():
    with pytest.raises(DataError, match=r"unknown option 'colour' of elpv\. Valid: size"):
        load("elpv", colour=True)
    with pytest.raises(DataError, match="Valid: none"):
        load("photographs", size=3)


def test_a_damaged_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "datasets" / "data").mkdir(parents=True)
    (tmp_path / "datasets" / "data" / "digits.csv.gz").write_bytes(b"altered")
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: type("Spec", (), {"submodule_search_locations": [str(tmp_path)]}),
    )
    with pytest.raises(
        DataError, match=r"digits.csv.gz in the installed package 'scikit-learn'.*09f66e6d.*pip install"
    ):
        load("digits")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="not installed here"):
        load("digits")
