"""The reader's own pictures and masks: three kinds of masks, and every slip named with its file, all at once."""

import numpy as np
import pytest
from PIL import Image

from course_utils.data import sources_used
from course_utils.errors import DataError
from course_utils.inspection import inspect_folder
from course_utils.segmentation import mask_folder
from course_utils.segmentation.folders import read_mask


def write(root, name, mask, size=None, colour=True, palette=False, ending="png"):
    """A picture and a mask file; ``mask`` is an array of values (H, W) or colours (H, W, 3)."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(exist_ok=True)
    height, width = size or mask.shape[:2]
    pixels = np.full((height, width, 3), (10, 200, 30) if colour else (90, 90, 90), np.uint8)
    Image.fromarray(pixels).save(root / "images" / f"{name}.png")
    image = Image.fromarray(mask.astype(np.uint8))
    if palette:
        image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(root / "masks" / f"{name}.{ending}")


def square(value, background=0, shape=(12, 16)):
    mask = np.zeros((*shape, *np.shape(value)), np.uint8) + np.uint8(background)
    mask[2:6, 3:9] = value
    return mask


@pytest.mark.parametrize("value", [1, 255])
def test_binary_masks_need_no_list_of_classes(tmp_path, value):
    write(tmp_path, "a", square(value), colour=False)
    write(tmp_path, "b", square(value, shape=(20, 14)), colour=False)
    data = mask_folder(tmp_path)
    assert data.classes == ("background", "object") and data.names == ["a", "b"] and len(data) == 2
    assert [tuple(image.shape) for image in data.images] == [(1, 12, 16), (1, 20, 14)]
    assert data.counts().tolist() == [[12 * 16 - 24, 24], [20 * 14 - 24, 24]]
    assert data.masks[0].unique().tolist() == [0, 1] and sources_used()[tmp_path.name] == "own pictures"
    assert data.subset([1]).names == ["b"] and data[1][0].shape == (1, 20, 14)
    assert data.subset([False, True]).names == ["b"] and data.subset(range(0)).names == []


@pytest.mark.parametrize("palette", [False, True])
def test_indices_mean_what_the_list_says(tmp_path, palette):
    (tmp_path / "classes.txt").write_text("3 road\n0 sky  # above\n\n9 ignore\n")
    mask = square(3)
    mask[8:, 8:] = 9
    write(tmp_path, "a", mask, palette=palette)
    data = mask_folder(tmp_path)
    assert data.classes == ("road", "sky") and data.images[0].shape == (3, 12, 16)
    assert data.masks[0][3, 4] == 0 and data.masks[0][0, 0] == 1 and data.masks[0][9, 9] == 255


def test_colours_mean_what_the_list_says(tmp_path):
    (tmp_path / "classes.txt").write_text("0 0 0 ignore\n128 64 128 road\n70 130 180 wide sky\n")
    mask = square((128, 64, 128))
    mask[8:] = (70, 130, 180)
    write(tmp_path, "a", mask)
    write(tmp_path, "all_grey", np.zeros((5, 5), np.uint8))
    data = mask_folder(tmp_path)
    assert data.classes == ("road", "wide sky")
    assert data.counts().tolist() == [[24, 64], [0, 0]] and (data.masks[1] == 255).all()


def test_a_palette_counts_by_its_colours_where_colours_are_listed(tmp_path):
    (tmp_path / "classes.txt").write_text("0 0 0 nothing\n128 0 0 object\n")
    write(tmp_path, "a", square(1))
    mask = Image.fromarray(square(1))
    mask.putpalette([0, 0, 0, 128, 0, 0] + [9] * 750)
    mask.save(tmp_path / "masks" / "a.png")
    assert mask_folder(tmp_path).counts().tolist() == [[12 * 16 - 24, 24]]


def test_a_mask_is_turned_upright_with_its_picture(tmp_path):
    write(tmp_path, "a", square(1))
    for folder in ("images", "masks"):
        file = tmp_path / folder / "a.png"
        image = Image.open(file)
        exif = image.getexif()
        exif[0x112] = 6  # a quarter turn
        image.save(file, exif=exif)
    data = mask_folder(tmp_path)
    assert data.images[0].shape == (3, 16, 12)
    assert np.array_equal(data.masks[0], np.rot90(square(1), -1))


@pytest.mark.parametrize(
    ("name", "mask", "words"),
    [
        ("a.gif", Image.fromarray(square(1)), "GIF renumbers"),
        ("a.tif", Image.fromarray(square(1).astype(np.float32) / 2), "it holds fractions"),
        ("a.png", Image.fromarray(square((0, 0, 0, 255))), "it is drawn in transparency"),
    ],
)
def test_a_file_that_does_not_keep_class_numbers_is_refused(tmp_path, name, mask, words):
    mask.save(tmp_path / name)
    with pytest.raises(DataError, match=words):
        read_mask(tmp_path / name)


def test_an_opaque_alpha_does_not_matter(tmp_path):
    Image.fromarray(square(1)).convert("RGBA").save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png"), square(1))


def test_a_mask_of_another_size_is_not_fitted(tmp_path):
    write(tmp_path, "a", square(1))
    write(tmp_path, "small", square(1), size=(30, 40))
    with pytest.raises(DataError, match=r"1 thing to put right(.|\n)*small.png: 16×12 pixels"):
        mask_folder(tmp_path, fit=lambda picture, mask: (picture[:9], mask[np.arange(len(picture) - 3)][:9]))


def test_every_slip_is_named_at_once(tmp_path):
    (tmp_path / "classes.txt").write_text("0 cell\n1 wall\n255 ignore\n")
    write(tmp_path, "good", square(1))
    write(tmp_path, "strange", square(7))
    write(tmp_path, "small", square(1), size=(30, 40))
    write(tmp_path, "coloured", square((9, 9, 200)))
    write(tmp_path, "blurred", square(1), ending="jpg")
    write(tmp_path, "alone", square(1))
    (tmp_path / "masks" / "alone.png").unlink()
    write(tmp_path, "orphan", square(1))
    (tmp_path / "images" / "orphan.png").unlink()
    write(tmp_path, "cut", square(1))
    whole = (tmp_path / "masks" / "cut.png").read_bytes()
    (tmp_path / "masks" / "cut.png").write_bytes(whole[:30])
    write(tmp_path, "broken", square(1))
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        mask_folder(tmp_path)
    text = str(caught.value)
    for line in (
        "8 things to put right before training",
        "masks/strange.png: unknown value 7 (24 pixels); known: 0 cell, 1 wall, 255 ignore",
        "masks/small.png: 16×12 pixels, its picture 40×30",
        "masks/coloured.png: coloured, but no colour is declared",
        "masks/blurred.jpg: JPEG blurs the class numbers",
        "images/alone.png: no mask of this name",
        "masks/orphan.png: no picture of this name",
        "masks/cut.png: it cannot be read",
        "images/broken.png: ",
        "Expected: images/",
    ):
        assert line in text, line
    assert "good" not in text


def test_unknown_colours_are_named(tmp_path):
    (tmp_path / "classes.txt").write_text("0 0 0 nothing\n255 0 0 object\n")
    write(tmp_path, "a", square((254, 0, 0)))
    with pytest.raises(
        DataError, match=r"masks/a.png: unknown colour 254 0 0 \(24 pixels\); known: 0 0 0 nothing"
    ):
        mask_folder(tmp_path)


def test_three_values_without_a_list_are_asked_about(tmp_path):
    mask = square(1)
    mask[0] = 2
    write(tmp_path, "a", mask)
    with pytest.raises(
        DataError, match=r"unknown value 1 \(24 pixels\), 2 \(16 pixels\); known: 0 background, 255 object"
    ):
        mask_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 a\n0 b\n", "classes.txt:2: '0 b' is not a new value"),
        ("road\n", "classes.txt:1: 'road'"),
        ("300 a\n", "classes.txt:1"),
        ("1 2 a\n", "classes.txt:1"),
        ("² b\n", "classes.txt:1: '² b'"),
        ("0 a\n1 2 3 b\n", "it mixes values and colours"),
        ("".join(f"{i} class {i}\n" for i in range(256)), "256 classes; at most 255"),
        ("".join(f"{i} {j} 0 class {i} {j}\n" for i in range(2) for j in range(150)), "300 classes; at most"),
    ],
)
def test_a_wrong_list_of_classes_is_named(tmp_path, text, words):
    (tmp_path / "classes.txt").write_text(text)
    write(tmp_path, "a", square(1))
    with pytest.raises(DataError, match=words):
        mask_folder(tmp_path)


def test_a_list_of_classes_in_another_encoding_is_named(tmp_path):
    (tmp_path / "classes.txt").write_bytes("0 forêt\n".encode("latin-1"))
    write(tmp_path, "a", square(1))
    with pytest.raises(DataError, match=r"classes\.txt: byte 5 is not UTF-8"):
        mask_folder(tmp_path)


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"holds nothing\. Expected: images/"):
        mask_folder(tmp_path / "absent")
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match="holds pictures"):
        mask_folder(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="images/: no picture"):
        mask_folder(tmp_path)


def test_a_letter_with_two_dots_may_be_written_in_two_ways(tmp_path):
    for i in range(5):
        write(tmp_path, f"Mu\u0308ller {i}", square(1))
        (tmp_path / "masks" / f"Mu\u0308ller {i}.png").rename(tmp_path / "masks" / f"M\u00fcller {i}.png")
    assert mask_folder(tmp_path).names == [f"M\u00fcller {i}" for i in range(5)]
    assert inspect_folder(tmp_path, "segmentation", progress=False).summary["masks"] == 5


def test_a_name_that_stands_twice_is_named(tmp_path):
    write(tmp_path, "a", square(1))
    Image.new("L", (16, 12)).save(tmp_path / "images" / "a.jpg")
    with pytest.raises(
        DataError, match=r"1 thing to put right(.|\n)*images/a.png: images/a.jpg has the same name"
    ):
        mask_folder(tmp_path)
