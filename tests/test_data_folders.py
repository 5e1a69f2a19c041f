"""The reader's own folder of pictures, with everything that such folders hold."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import forget_sources, sources_used
from course_utils.data.folders import image_folder, read_image, read_square
from course_utils.errors import DataError

RED = (200, 30, 30)


@pytest.fixture
def folder(tmp_path):
    """Three classes, one of them empty, with pictures of many kinds and some that are none."""
    root = tmp_path / "pictures"
    for name in ("cats", "dogs", "empty", ".ipynb_checkpoints"):
        (root / name).mkdir(parents=True)
    Image.new("RGB", (40, 30), RED).save(root / "cats" / "rgb.png")
    Image.new("L", (10, 20), 90).save(root / "cats" / "grey.png")
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(root / "cats" / "clear.png")
    Image.new("RGB", (50, 50), RED).convert("P").save(root / "dogs" / "palette.gif")
    rotated = Image.new("RGB", (60, 20), RED)
    rotated.getexif()[0x0112] = 6
    rotated.save(root / "dogs" / "turned.jpg", exif=rotated.getexif())
    (root / "dogs" / "deeper").mkdir()
    Image.new("CMYK", (12, 12)).save(root / "dogs" / "deeper" / "print.tif")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
    noise.save(root / "dogs" / "whole.jpg")
    whole = (root / "dogs" / "whole.jpg").read_bytes()
    (root / "dogs" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    noise.save(root / "cats" / "whole.png")
    whole = (root / "cats" / "whole.png").read_bytes()
    (root / "cats" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "cats" / "text.jpg").write_text("not a picture")
    (root / "cats" / "zero.jpg").write_bytes(b"")
    (root / "cats" / "notes.txt").write_text("notes")
    (root / "cats" / ".DS_Store").write_text("x")
    (root / "stray.png").write_bytes((root / "cats" / "rgb.png").read_bytes())
    return root


def test_pictures_classes_and_what_was_skipped(folder):
    data = image_folder(folder)
    assert data.classes == ("cats", "dogs") and len(data) == 8
    assert data.targets.tolist() == [0] * 4 + [1] * 4 and data.targets.dtype == torch.int64
    skipped = {str(path.relative_to(folder)).replace("\\", "/"): reason for path, reason in data.skipped}
    assert sorted(skipped) == [
        "cats/cut.png",
        "cats/notes.txt",
        "cats/text.jpg",
        "cats/zero.jpg",
        "dogs/cut.jpg",
        "empty",
        "stray.png",
    ]
    assert "cut short" in skipped["cats/cut.png"] and "cut short" in skipped["dogs/cut.jpg"]
    assert "not a picture" in skipped["cats/text.jpg"] and ".txt" in skipped["cats/notes.txt"]
    for image, target in (data[i] for i in range(len(data))):
        assert image.dtype == torch.uint8 and image.shape[0] == 3 and isinstance(target, int)


def test_it_is_remembered_as_the_readers_own(folder):
    forget_sources()
    data = image_folder(folder)
    assert sources_used() == {"pictures": "own pictures"} and (data.name, data.source) == (
        "pictures",
        "own pictures",
    )


def test_modes_and_orientation(folder):
    assert read_image(folder / "cats" / "rgb.png")[0, 0].tolist() == list(RED)
    assert read_image(folder / "cats" / "grey.png").shape == (20, 10, 3)
    assert (
        read_image(folder / "cats" / "clear.png").min() == 255
    )  # transparent means the white page behind it
    assert read_image(folder / "dogs" / "turned.jpg").shape == (60, 20, 3)
    assert np.abs(read_image(folder / "dogs" / "palette.gif")[0, 0].astype(int) - RED).max() <= 30


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    assert np.abs(read_image(tmp_path / "deep.png")[0, :, 0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize(
    ("top", "kind", "ending"),
    [(255, np.uint16, "png"), (4095, np.uint16, "png"), (1.04, np.float32, "tif"), (65535, np.uint16, "tif"), (255, np.int32, "tif"), (1.0, np.float32, "tif"), (255.0, np.float32, "tif")],
)  # fmt: skip
def test_values_of_more_than_8_bits_keep_their_greys(tmp_path, top, kind, ending):
    ramp = np.linspace(0, top, 256).astype(kind)[None].repeat(4, 0)
    Image.fromarray(ramp).save(tmp_path / f"deep.{ending}")
    wanted = np.minimum(np.linspace(0, top, 256) / (1 if top < 2 else top), 1) * 255
    assert np.abs(read_image(tmp_path / f"deep.{ending}")[0, :, 0] - wanted).max() <= 1


def test_in_memory_and_subset(folder):
    data = image_folder(folder)
    tensors = data.in_memory(24)
    assert tensors.images.shape == (8, 3, 24, 24) and tensors.images.dtype == torch.uint8
    assert tensors.classes == data.classes and tensors.targets.tolist() == data.targets.tolist()
    assert (tensors.source, list(tensors.extra["path"])) == (
        "own pictures",
        [str(path) for path in data.paths],
    )
    part = data.subset([0, 7])
    assert part.paths == [data.paths[0], data.paths[7]] and part.targets.tolist() == [0, 1]
    assert len(data.subset(data.targets.numpy() == 1)) == 4


def test_one_class_is_refused_with_what_was_found(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "dogs").mkdir()
    Image.new("L", (5, 5)).save(tmp_path / "cats" / "a.png")
    (tmp_path / "dogs" / "b.png").write_text("no")
    with pytest.raises(
        DataError, match=r"Found sub-folders: cats \(1 of 1 files readable\), dogs \(0 of 1 files readable\)"
    ):
        image_folder(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [("nothing", "is not there"), ("file", "is a file"), ("empty", "Found sub-folders: none")],
)
def test_a_folder_that_is_none(tmp_path, make, words):
    path = tmp_path / "data"
    if make == "file":
        path.write_text("x")
    elif make == "empty":
        path.mkdir()
    with pytest.raises(DataError, match=words):
        image_folder(path)


@pytest.mark.parametrize(
    "names",
    [("train", "val"), ("train",), ("test", "train", "unlabelled"), ("test_set", "training_set"), ("seg_pred", "seg_test", "seg_train"), ("Test Images", "Train Images")],
)  # fmt: skip
def test_split_folders_are_recognised(tmp_path, names):
    for name in names:
        (tmp_path / name / "cats").mkdir(parents=True)
    splits = [name for name in names if name not in ("unlabelled", "seg_pred")]
    train = next(name for name in names if "train" in name.lower())
    with pytest.raises(
        DataError, match=rf"split folders {', '.join(splits)}, not classes.* one of them: .*{train}\."
    ):
        image_folder(tmp_path)


def test_one_class_may_be_called_train(tmp_path):
    for name in ("bus", "train"):
        (tmp_path / name).mkdir()
        Image.new("L", (5, 5)).save(tmp_path / name / "a.png")
    assert image_folder(tmp_path).classes == ("bus", "train")


def test_what_programs_leave_behind_is_no_picture(folder):
    for name in (
        ".ipynb_checkpoints/1.png",
        "__MACOSX/1.png",
        "__pycache__/1.png",
        "@eaDir/1.png/THUMB.jpg",
        "._1.png",
    ):
        for place in (folder, folder / "cats"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes((folder / "cats" / "rgb.png").read_bytes())
    data = image_folder(folder)
    assert data.classes == ("cats", "dogs") and len(data) == 8 and len(data.skipped) == 7


@pytest.mark.parametrize(
    ("name", "size"), [("a.jpg", (5, 40)), ("a.jpg", (40, 5)), ("a.jpg", (1, 1)), ("a.jfif", (30, 20))]
)
def test_every_jpeg_is_a_picture(folder, name, size):
    Image.new("RGB", size).save(folder / "cats" / name, "JPEG")
    assert folder / "cats" / name in image_folder(folder).paths


def test_broken_exif_data_are_named_and_stop_nothing_else(folder):
    exif, file = Image.Exif(), folder / "cats" / "exif.jpg"
    exif[0x0112], exif[0x0131] = 6, "abc"
    Image.new("RGB", (24, 24)).save(file, exif=exif)
    file.write_bytes(file.read_bytes().replace(b"\x011\0\2", b"\1\0\0\2"))  # a text where the width stands
    data = image_folder(folder)
    assert len(data) == 8 and "damaged" in dict(data.skipped)[file]
    with pytest.raises(DataError, match=r"exif\.jpg cannot be read: it is damaged"):
        read_image(file)


@pytest.mark.parametrize("content", [None, b"", b"text"])
def test_one_bad_picture_is_named(tmp_path, content):
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"bad\.png cannot be read: (it is not there|its content is not a picture)"
    ):
        read_image(path)


def test_a_file_that_vanishes_after_the_scan_is_named(folder):
    data = image_folder(folder)
    data.paths[0].unlink()
    with pytest.raises(DataError, match="cannot be read: it is not there"):
        data[0]


def test_a_picture_is_averaged_where_it_shrinks(tmp_path):
    stripes = np.repeat(np.arange(64)[None] % 2 * 255, 64, 0).astype(np.uint8)
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    assert np.abs(read_square(tmp_path / "stripes.png", 8)[:, 1:-1].astype(int) - 127.5).max() < 5
