"""Faults planted one by one in small clean folders: `course inspect` finds each and names the file."""

import json
import shutil

import numpy as np
import planted
import pytest
from PIL import Image, ImageEnhance

from course_utils.inspection import inspect_folder, page, report

BASES = {
    "class_folders": "classification",
    "split_folders": "classification",
    "people": "faces",
    "table": "medical",
    "voc": "detection",
    "coco": "detection",
    "yolo": "driving",
    "masks": "segmentation",
    "dicom": "medical",
}
FAULTS, HARMLESS = [], []


def fault(base: str, code: str, file: str, level: str = "error", task: str | None = None):
    """Declare a fault: what it is planted in, the finding that must come, and the file that it must name."""

    def declare(function):
        name = f"{function.__name__}-{base}-{code}"
        FAULTS.append(pytest.param(base, task or BASES[base], function, code, level, file, id=name))
        return function

    return declare


def harmless(base: str, splits: dict | None = None):
    """Declare a change that must give no alarm, and the pictures of each split after it."""

    def declare(function):
        HARMLESS.append(pytest.param(base, function, splits, id=function.__name__))
        return function

    return declare


# --- files -----------------------------------------------------------------------------------------------------------


@fault("class_folders", "corrupt", "cat/cat3.png")
def cut_png(root):
    path = root / "cat" / "cat3.png"
    path.write_bytes(path.read_bytes()[:1500])


@fault("people", "corrupt", "ada/1.jpg")
def cut_jpeg(root):
    path = root / "ada" / "1.jpg"
    path.write_bytes(path.read_bytes()[:-600])


@fault("class_folders", "corrupt", "dog/dog1.png")
def flipped_bytes_in_a_png(root):
    data = bytearray((root / "dog" / "dog1.png").read_bytes())
    data[300:340] = bytes(40)
    (root / "dog" / "dog1.png").write_bytes(data)


@fault("class_folders", "not-a-picture", "dog/page.jpg")
def error_page_saved_as_a_picture(root):
    (root / "dog" / "page.jpg").write_text("<html>404 Not Found</html>")


@fault("class_folders", "empty-file", "cat/zero.jpg")
def empty_file(root):
    (root / "cat" / "zero.jpg").write_bytes(b"")


@fault("class_folders", "unreadable", "cat/link.png")
def link_to_nowhere(root):
    (root / "cat" / "link.png").symlink_to(root / "nowhere.png")


@fault("class_folders", "huge", "dog/bomb.png")
def decompression_bomb(root):
    Image.new("1", (20_000, 10_000)).save(root / "dog" / "bomb.png")


@fault("class_folders", "other-files", "cat/notes.txt", "warning")
def text_among_pictures(root):
    (root / "cat" / "notes.txt").write_text("to do")


@fault("class_folders", "wrong-ending", "cat/cat5.png", "warning")
def jpeg_called_png(root):
    planted.picture(5).save(root / "cat" / "cat5.png", "JPEG", quality=95)


@fault("class_folders", "mixed-modes", "dog/dog2.png", "warning")
def grey_among_colour(root):
    planted.save(root / "dog" / "dog2.png", 102, mode="L")


@fault("class_folders", "mixed-modes", "dog/print.tif", "warning")
def cmyk(root):
    planted.save(root / "dog" / "print.tif", 130, mode="CMYK")


@fault("people", "exif", "bo/2.jpg", "warning")
def turned_by_exif(root):
    image = planted.picture(102)
    image.getexif()[0x0112] = 6
    image.save(root / "bo" / "2.jpg", exif=image.getexif())


@fault("class_folders", "frames", "cat/moving.gif", "warning")
def animation(root):
    first, second = planted.picture(40).convert("P"), planted.picture(41).convert("P")
    first.save(root / "cat" / "moving.gif", save_all=True, append_images=[second])


@fault("class_folders", "blank", "cat/cat0.png", "warning")
def one_colour(root):
    Image.new("RGB", planted.SIZE, (9, 9, 9)).save(root / "cat" / "cat0.png")


@fault("class_folders", "tiny", "cat/icon.png", "warning")
def icon_among_photographs(root):
    planted.save(root / "cat" / "icon.png", 77, (12, 9))


@fault("class_folders", "long", "dog/banner.png", "warning")
def banner(root):
    planted.save(root / "dog" / "banner.png", 78, (400, 30))


# --- duplicates and leakage ------------------------------------------------------------------------------------------


@fault("class_folders", "duplicate", "cat/copy.png", "warning")
def copy(root):
    shutil.copy(root / "cat" / "cat1.png", root / "cat" / "copy.png")


@fault("split_folders", "duplicate-across", "test/cat/again.png")
def copy_across_splits(root):
    shutil.copy(root / "train" / "cat" / "tcat0.png", root / "test" / "cat" / "again.png")


@fault("class_folders", "duplicate-label", "dog/copy.png")
def copy_with_another_label(root):
    shutil.copy(root / "cat" / "cat1.png", root / "dog" / "copy.png")


@fault("class_folders", "near", "cat/again.jpg", "note")
def recompressed_copy(root):
    planted.picture(1).save(root / "cat" / "again.jpg", quality=40)


@fault("split_folders", "near-across", "test/dog/small.png", "warning")
def scaled_copy_across_splits(root):
    planted.picture(101).resize((48, 36), Image.Resampling.BICUBIC).save(root / "test" / "dog" / "small.png")


@fault("split_folders", "near-across", "test/dog/bright.png", "warning")
def brighter_copy_across_splits(root):
    ImageEnhance.Brightness(planted.picture(101)).enhance(1.1).save(root / "test" / "dog" / "bright.png")


@fault("split_folders", "near-across", "test/dog/upright.jpg", "warning")
def copy_that_is_turned_by_exif(root):
    image = planted.picture(101).transpose(Image.Transpose.ROTATE_90)
    image.getexif()[0x0112] = 6
    image.save(root / "test" / "dog" / "upright.jpg", exif=image.getexif(), quality=95)


@fault("split_folders", "near-across", "test/cat/same.bmp", "warning")
def tiny_picture_in_another_format(root):
    for path in [*root.rglob("*.png")]:
        Image.open(path).resize((28, 28)).save(path)
    Image.open(root / "train" / "cat" / "tcat0.png").save(root / "test" / "cat" / "same.bmp")


@fault("split_folders", "near-across", "train/cat/burst0.png", "warning")
def two_bursts_of_one_scene(root):
    scene = np.asarray(planted.picture(777, (128, 96)), float)
    for split, light in (("train", 1), ("test", np.linspace(1, 0.93, 128)[:, None])):
        for i in range(8):
            shot = scene * light + np.random.default_rng(i).normal(0, 2, scene.shape)
            Image.fromarray(shot.clip(0, 255).astype(np.uint8)).save(root / split / "cat" / f"burst{i}.png")


@fault("class_folders", "near-label", "dog/again.jpg", "warning")
def recompressed_copy_with_another_label(root):
    planted.picture(1).save(root / "dog" / "again.jpg", quality=60)


@fault("table", "leak-patient", "images/0.png")
def patient_in_two_splits(root):
    rows = planted.read_table(root)
    rows[0][3] = "test"
    planted.write_table(root, rows)


@fault("table", "leak-identity", "images/0.png", task="faces")
def person_in_two_splits(root):
    rows = planted.read_table(root)
    rows[0][3] = "test"
    planted.write_table(root, rows, ("path", "label", "identity", "split"))


@fault("table", "leak-video", "images/0.png", task="driving")
def video_in_two_splits(root):
    rows = planted.read_table(root)
    rows[0][3] = "test"
    planted.write_table(root, rows, ("path", "label", "video", "split"))


@fault("split_folders", "leak-identity", "test/cat/tcat0.png", task="faces")
def people_in_both_split_folders(root):
    assert (root / "test" / "cat").is_dir()


@fault("split_folders", "leak-patient", "patient2_x.png", "warning")
def patient_in_file_names(root):
    for i, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(path.with_name(f"patient{2 if i in (0, 23) else 100 + i}_x.png"))


@fault("split_folders", "leak-video", "seq3_00.png", "warning", task="driving")
def video_in_file_names(root):
    for i, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(path.with_name(f"seq{3 if i in (0, 23) else i}_{i:02}.png"))


@fault("dicom", "leak-patient", "test/ill/0.dcm")
def dicom_patient_in_two_splits(root):
    for name in ("healthy", "ill"):
        (root / "train").mkdir(exist_ok=True)
        (root / name).rename(root / "train" / name)
        planted.write_dicom(root / "test" / name / "0.dcm", 500 + len(name), PatientID="P100")


# --- classes ---------------------------------------------------------------------------------------------------------


@fault("class_folders", "label-names", "Cat/", task="classification")
def class_name_in_another_case(root):
    for i in range(3):
        planted.save(root / "Cat" / f"{i}.png", 300 + i)


@fault("table", "label-names", "labels.csv:2")
def label_with_a_space_behind(root):
    rows = planted.read_table(root)
    rows[0][1] += " "
    planted.write_table(root, rows)


@fault("class_folders", "label-names", "sea lion")
def hyphen_against_space(root):
    (root / "dog").rename(root / "sea-lion")
    planted.save(root / "sea lion" / "1.png", 300)


@fault("class_folders", "few-pictures", "emu/0.png", "warning")
def rare_class(root):
    for i in range(2):
        planted.save(root / "emu" / f"{i}.png", 300 + i)


@fault("people", "few-pictures", "dee/0.jpg", "warning")
def person_with_one_picture(root):
    planted.save(root / "dee" / "0.jpg", 300)


@fault("class_folders", "uneven", "", "warning")
def uneven_classes(root):
    for i in range(191):
        planted.save(root / "cat" / f"more{i}.png", 300 + i)


@fault("class_folders", "empty-class", "emu")
def class_without_a_picture(root):
    (root / "emu").mkdir()


@fault("split_folders", "class-missing", "test/emu/0.png")
def class_that_train_lacks(root):
    for i in range(5):
        planted.save(root / "test" / "emu" / f"{i}.png", 300 + i)


@fault("split_folders", "one-class", "")
def one_class(root):
    for split in ("train", "test"):
        shutil.rmtree(root / split / "dog")


@fault("split_folders", "no-train", "")
def nothing_to_train_on(root):
    (root / "train").rename(root / "val")


@fault("split_folders", "split-folders", "", "note")
def classes_in_split_folders(root):
    assert (root / "test" / "cat").is_dir()


@fault("class_folders", "outside", "stray.png", "warning")
def picture_outside_the_classes(root):
    planted.save(root / "stray.png", 300)


# --- CSV -------------------------------------------------------------------------------------------------------------


def change_row(root, row, column, value):
    rows = planted.read_table(root)
    rows[row][column] = value
    planted.write_table(root, rows)


@fault("table", "missing-picture", "labels.csv:4")
def row_of_a_picture_that_is_not_there(root):
    change_row(root, 2, 0, "images/no.png")


@fault("table", "outside-path", "labels.csv:2")
def path_out_of_the_folder(root):
    change_row(root, 0, 0, "../../secret.png")


@fault("table", "outside-path", "labels.csv:2")
def absolute_path(root):
    change_row(root, 0, 0, "/etc/passwd")


@fault("table", "no-label", "labels.csv:7")
def row_without_a_label(root):
    change_row(root, 5, 1, "")


@fault("table", "no-group", "labels.csv:7", "warning")
def row_without_a_patient(root):
    change_row(root, 5, 2, "")


@fault("table", "unknown-split", "labels.csv:3")
def misspelt_split(root):
    change_row(root, 1, 3, "tarin")


@fault("table", "bad-row", "labels.csv:2")
def row_with_a_cell_too_many(root):
    rows = planted.read_table(root)
    rows[0].append("extra")
    planted.write_table(root, rows)


@fault("table", "broken-file", "labels.csv:3")
def table_that_is_not_utf8(root):
    data = (root / "labels.csv").read_bytes().replace(b"images/1.png,sick", b"images/1.png,s\xefck")
    (root / "labels.csv").write_bytes(data)


@fault("table", "no-label-column", "labels.csv:1")
def table_without_labels(root):
    planted.write_table(root, planted.read_table(root), ("path", "colour", "patient", "split"))


@fault("table", "nothing-labelled", "")
def table_without_rows(root):
    planted.write_table(root, [])


@fault("table", "contradiction", "labels.csv:26")
def picture_with_two_labels(root):
    rows = planted.read_table(root)
    planted.write_table(root, [*rows, [rows[0][0], "well", *rows[0][2:]]])


@fault("table", "repeated-row", "labels.csv:26", "warning")
def row_twice(root):
    rows = planted.read_table(root)
    planted.write_table(root, [*rows, rows[0]])


@fault("table", "unlisted", "images/new.png", "warning")
def picture_that_no_row_names(root):
    planted.save(root / "images" / "new.png", 300)


@fault("table", "one-patient", "images/0.png", "warning")
def most_pictures_of_one_patient(root):
    planted.write_table(root, [[p, y, "P0" if i > 8 else who] for i, (p, y, who, _) in enumerate(planted.read_table(root))], ("path", "label", "patient"))  # fmt: skip


# --- masks -----------------------------------------------------------------------------------------------------------


@fault("masks", "mask-missing", "images/3.png")
def mask_that_is_missing(root):
    (root / "masks" / "3.png").unlink()


@fault("masks", "mask-alone", "masks/3.png")
def mask_without_its_picture(root):
    (root / "images" / "3.png").unlink()


@fault("masks", "mask-names", "images/0.png: images/0.jpg")
def two_pictures_of_one_name(root):
    planted.save(root / "images" / "0.jpg", 500)


@fault("masks", "mask-renamed", "masks/0_mask.png", "warning")
def mask_with_a_name_of_its_own(root):
    (root / "masks" / "0.png").rename(root / "masks" / "0_mask.png")


@fault("masks", "mask-size", "masks/2.png")
def mask_of_another_size(root):
    planted.write_mask(root / "masks" / "2.png", planted.mask_of(2)[::2, ::2])


@fault("masks", "mask-size", "masks/2.png")
def mask_of_a_picture_that_exif_turns(root):
    image = planted.picture(2)
    image.getexif()[0x0112] = 6
    image.save(root / "images" / "2.png", exif=image.getexif())


@fault("masks", "mask-values", "masks/4.png: 7 (1 pixels)")
def value_that_is_not_declared(root):
    values = planted.mask_of(4)
    values[0, 0] = 7
    planted.write_mask(root / "masks" / "4.png", values)


@fault("masks", "mask-values", "masks/4.png")
def value_that_no_other_mask_has(root):
    (root / "classes.txt").unlink()
    values = planted.mask_of(4)
    values[:3] = 7
    planted.write_mask(root / "masks" / "4.png", values)


@fault("masks", "mask-values", "masks/5.png")
def binary_mask_scaled_with_interpolation(root):
    (root / "classes.txt").unlink()
    for i in range(8):
        mask = Image.fromarray((planted.mask_of(i) > 0).astype(np.uint8) * 255)
        if i == 5:
            mask = mask.resize((16, 12)).resize(planted.SIZE, Image.Resampling.BICUBIC)
        mask.save(root / "masks" / f"{i}.png")


@fault("masks", "mask-values", "masks/6.png: (1, 2, 3)")
def colour_that_is_not_declared(root):
    palette = np.array([[128, 64, 128], [0, 0, 142], [107, 142, 35]], np.uint8)
    (root / "classes.txt").write_text("128 64 128 road\n0 0 142 car\n107 142 35 tree\n")
    for i in range(8):
        colours = palette[planted.mask_of(i)]
        colours[:2] = (1, 2, 3) if i == 6 else colours[:2]
        planted.write_mask(root / "masks" / f"{i}.png", colours)


@fault("masks", "mask-unreadable", "masks/1.png")
def mask_cut_short(root):
    (root / "masks" / "1.png").write_bytes((root / "masks" / "1.png").read_bytes()[:60])


@fault("masks", "mask-unreadable", "masks/1.jpg")
def mask_as_jpeg(root):
    (root / "masks" / "1.png").unlink()
    Image.fromarray(planted.mask_of(1)).save(root / "masks" / "1.jpg")


@fault("masks", "mask-kinds", "masks/0.png")
def coloured_mask_among_numbers(root):
    planted.write_mask(
        root / "masks" / "0.png", np.stack([planted.mask_of(0), planted.mask_of(3), planted.mask_of(0)], -1)
    )


@fault("masks", "mask-one-value", "")
def masks_of_nothing(root):
    for i in range(8):
        planted.write_mask(root / "masks" / f"{i}.png", np.zeros(planted.SIZE[::-1], np.uint8))


@fault("masks", "class-unused", "", "warning")
def class_that_no_mask_has(root):
    with open(root / "classes.txt", "a") as stream:
        stream.write("9 river\n")


@fault("masks", "class-list", "classes.txt")
def class_list_with_a_bad_line(root):
    with open(root / "classes.txt", "a") as stream:
        stream.write("ten river\n")


# --- boxes -----------------------------------------------------------------------------------------------------------


def change_voc(root, i, old, new):
    path = root / "Annotations" / f"{i}.xml"
    path.write_text(path.read_text().replace(old, new, 1))


@fault("voc", "box-outside", "Annotations/1.xml:4: car")
def voc_box_outside(root):
    change_voc(root, 1, "<xmax>25<", "<xmax>70<")


@fault("voc", "box-empty", "Annotations/1.xml:4: car")
def voc_box_without_area(root):
    change_voc(root, 1, "<xmax>25<", "<xmax>5<")


@fault("voc", "box-empty", "Annotations/1.xml:4: car")
def voc_corners_swapped(root):
    change_voc(root, 1, "<xmin>5</xmin><ymin>6</ymin><xmax>25<", "<xmin>25</xmin><ymin>6</ymin><xmax>5<")


@fault("voc", "box-tiny", "Annotations/1.xml:4: car", "warning")
def voc_tiny_box(root):
    change_voc(root, 1, "<xmax>25<", "<xmax>6<")


@fault("voc", "box-twice", "Annotations/2.xml:4: car", "warning")
def voc_box_twice(root):
    box = planted.boxes_of(2)
    (root / "Annotations" / "2.xml").write_text(planted.voc_text(2, [box[0], box[0], box[1]]))


@fault("voc", "bad-box", "Annotations/3.xml:4")
def voc_word_for_a_number(root):
    change_voc(root, 3, "<ymin>6<", "<ymin>six<")


@fault("voc", "bad-box", "Annotations/3.xml:4")
def voc_infinite_number(root):
    change_voc(root, 3, "<ymin>6<", "<ymin>inf<")


@fault("voc", "stated-size", "Annotations/3.xml")
def voc_size_of_another_picture(root):
    change_voc(root, 3, "<width>64<", "<width>640<")


@fault("voc", "stated-size", "turned by EXIF orientation 6")
def voc_boxes_on_a_turned_picture(root):
    image = planted.picture(3)
    image.getexif()[0x0112] = 6
    image.save(root / "JPEGImages" / "3.jpg", exif=image.getexif())


@fault("voc", "missing-picture", "Annotations/4.xml")
def voc_picture_missing(root):
    (root / "JPEGImages" / "4.jpg").unlink()


@fault("voc", "unlisted", "JPEGImages/20.jpg", "warning")
def voc_picture_without_labels(root):
    planted.save(root / "JPEGImages" / "20.jpg", 20, quality=95)


@fault("voc", "broken-file", "Annotations/5.xml:4")
def voc_broken_xml(root):
    path = root / "Annotations" / "5.xml"
    path.write_text(path.read_text()[:160])


@fault("voc", "broken-file", "unknown encoding")
def voc_unknown_encoding(root):
    path = root / "Annotations" / "5.xml"
    path.write_text('<?xml version="1.0" encoding="nonsense"?>\n' + path.read_text())


@fault("voc", "broken-file", "DOCTYPE")
def voc_entity_bomb(root):
    path = root / "Annotations" / "5.xml"
    bomb = (
        '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY a{i} "{"&a;" * 10}">' for i in range(9))
        + "]>"
    )
    path.write_text(bomb + path.read_text().replace("car", "&a8;"))


@fault("voc", "label-names", "Annotations/6.xml: 'Car'")
def voc_class_in_another_case(root):
    change_voc(root, 6, "car", "Car")


@fault("voc", "no-boxes", "JPEGImages/6.jpg", "note")
def voc_picture_without_boxes(root):
    (root / "Annotations" / "6.xml").write_text(planted.voc_text(6, []))


@fault("voc", "class-missing", "JPEGImages/7.jpg")
def voc_class_that_train_lacks(root):
    change_voc(root, 7, "car", "bus")


@fault("voc", "duplicate-across", "JPEGImages/7.jpg")
def voc_picture_in_two_splits(root):
    shutil.copy(root / "JPEGImages" / "0.jpg", root / "JPEGImages" / "7.jpg")


@fault("voc", "two-splits", "ImageSets/Main/train.txt:1: 0")
def voc_picture_in_two_lists(root):
    with open(root / "ImageSets" / "Main" / "test.txt", "a") as stream:
        stream.write("0\n")


@fault("voc", "left-out", "Annotations/3.xml", "note")
def voc_difficult_object(root):
    change_voc(root, 3, "</bndbox>", "</bndbox><difficult>1</difficult>")


def change_coco(root, change):
    document = planted.read_coco(root)
    change(document)
    planted.write_coco(root, document)


@fault("coco", "broken-file", "annotations.json:3")
def coco_broken_json(root):
    path = root / "annotations.json"
    path.write_text("\n".join(line + "," * (i == 2) for i, line in enumerate(path.read_text().splitlines())))


@fault("coco", "broken-file", "RecursionError")
def coco_endless_nesting(root):
    (root / "annotations.json").write_text("[" * 200_000)


@fault("coco", "box-outside", "annotation 1, car")
def coco_corners_for_width_and_height(root):
    change_coco(root, lambda d: d["annotations"][0].update(bbox=[40, 6, 60, 30]))


@fault("coco", "box-empty", "annotation 2, person")
def coco_negative_width(root):
    change_coco(root, lambda d: d["annotations"][1].update(bbox=[40, 6, -5, 30]))


@fault("coco", "bad-box", "annotation 2: bbox [1, 2, 3]")
def coco_three_numbers(root):
    change_coco(root, lambda d: d["annotations"][1].update(bbox=[1, 2, 3]))


@fault("coco", "bad-box", "annotation 2: bbox")
def coco_not_a_number(root):
    change_coco(root, lambda d: d["annotations"][1].update(bbox=[1, 2, 3, float("nan")]))


@fault("coco", "unknown-class", "category_id 9; known: 1, 2")
def coco_unknown_category(root):
    change_coco(root, lambda d: d["annotations"][1].update(category_id=9))


@fault("coco", "box-alone", "annotation 4: image_id 99")
def coco_unknown_image(root):
    change_coco(root, lambda d: d["annotations"][3].update(image_id=99))


@fault("coco", "missing-picture", "'images/no.jpg'")
def coco_picture_missing(root):
    change_coco(root, lambda d: d["images"][3].update(file_name="images/no.jpg"))


@fault("coco", "outside-path", "'../../../etc/passwd.png'")
def coco_path_out_of_the_folder(root):
    change_coco(root, lambda d: d["images"][3].update(file_name="../../../etc/passwd.png"))


@fault("coco", "repeated-row", "images/3.jpg", "warning")
def coco_picture_twice(root):
    change_coco(root, lambda d: d["images"].append(d["images"][3] | {"id": 50}))


@fault("coco", "two-splits", "instances_val.json: images/3.jpg")
def coco_picture_in_two_splits(root):
    document = planted.read_coco(root)
    (root / "annotations.json").rename(root / "instances_train.json")
    document |= {"images": document["images"][3:4], "annotations": []}
    (root / "instances_val.json").write_text(json.dumps(document))


@fault("coco", "left-out", "annotation 1", "note")
def coco_crowd(root):
    change_coco(root, lambda d: d["annotations"][0].update(iscrowd=1))


@fault("coco", "class-list", "'id': 3")
def coco_class_named_twice(root):
    change_coco(root, lambda d: d["categories"].append({"id": 3, "name": "car"}))


@fault("coco", "class-unused", "", "warning")
def coco_class_never_used(root):
    change_coco(root, lambda d: d["categories"].append({"id": 3, "name": "bus"}))


@fault("coco", "stated-size", "images/2.jpg: the labels say 128×96")
def coco_size_of_the_original(root):
    change_coco(root, lambda d: d["images"][2].update(width=128, height=96))


@fault("coco", "nothing-labelled", "")
def coco_without_annotations(root):
    change_coco(root, lambda d: d.update(annotations=[]))


def change_yolo(root, i, old, new):
    path = next((root / "labels").rglob(f"{i}.txt"))
    path.write_text(path.read_text().replace(old, new, 1))


@fault("yolo", "box-outside", "labels/train/0.txt:1: car")
def yolo_pixels_for_shares(root):
    (root / "labels" / "train" / "0.txt").write_text("0 14 18 20 24\n" + planted.yolo_line(1, 34, 10, 44, 40))


@fault("yolo", "unknown-class", "labels/train/2.txt:1: class '7'; known: 0 car, 1 person")
def yolo_unknown_class(root):
    change_yolo(root, 2, "0 ", "7 ")


@fault("yolo", "bad-box", "labels/train/2.txt:3")
def yolo_line_with_three_numbers(root):
    with open(root / "labels" / "train" / "2.txt", "a") as stream:
        stream.write("0 0.5 0.5\n")


@fault("yolo", "prediction", "labels/train/2.txt:3", "warning")
def yolo_predictions_for_labels(root):
    with open(root / "labels" / "train" / "2.txt", "a") as stream:
        stream.write("0 0.5 0.5 0.1 0.1 0.93\n")


@fault("yolo", "box-empty", "labels/train/2.txt:3")
def yolo_zero_width(root):
    with open(root / "labels" / "train" / "2.txt", "a") as stream:
        stream.write("0 0.5 0.5 0 0.1\n")


@fault("yolo", "missing-picture", "labels/val/7.txt")
def yolo_labels_without_a_picture(root):
    (root / "images" / "val" / "7.jpg").unlink()


@fault("yolo", "broken-file", "data.yaml")
def yolo_broken_yaml(root):
    (root / "data.yaml").write_text("names: [car, person")


@fault("yolo", "class-names", "labels/train/0.txt")
def yolo_without_a_list_of_names(root):
    (root / "data.yaml").unlink()


@fault("yolo", "broken-file", "labels/train/1.txt")
def yolo_binary_labels(root):
    (root / "labels" / "train" / "1.txt").write_bytes(b"\xff\xfe\x00\x01")


@fault("yolo", "near-across", "images/val/7.jpg", "warning")
def yolo_neighbouring_frames_in_two_splits(root):
    planted.picture(0).save(root / "images" / "val" / "7.jpg", quality=60)


# --- DICOM -----------------------------------------------------------------------------------------------------------


@fault("dicom", "nothing-labelled", "")
def dicom_without_labels(root):
    for path in [*root.rglob("*.dcm")]:
        path.rename(root / f"{path.parent.name}{path.name}")


@fault("dicom", "dicom-name", "ill/1.dcm", "warning")
def name_of_a_patient(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, PatientName="Doe^Jane")


@fault("dicom", "dicom-burned-in", "ill/1.dcm", "warning")
def burned_in_text(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, BurnedInAnnotation="YES")


@fault("dicom", "dicom-modality", "ill/1.dcm: MR", "warning")
def another_modality(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, Modality="MR")


@fault("dicom", "dicom-monochrome", "ill/1.dcm", "warning")
def inverted_grey_values(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, PhotometricInterpretation="MONOCHROME1")


@fault("dicom", "dicom-rescale", "ill/1.dcm: none", "warning")
def slope_missing(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, RescaleSlope=None, RescaleIntercept=None)


@fault("dicom", "corrupt", "ill/1.dcm")
def dicom_cut_short(root):
    path = root / "ill" / "1.dcm"
    path.write_bytes(path.read_bytes()[:-900])


@fault("dicom", "not-a-picture", "ill/1.dcm")
def no_dicom_at_all(root):
    (root / "ill" / "1.dcm").write_text("hello")


# --- what is no fault ------------------------------------------------------------------------------------------------


@harmless("class_folders")
def table_that_is_no_list_of_labels(root):
    (root / "exif.csv").write_text("filename,width,height\ncat/cat0.png,64,48\n")


@harmless("table")
def letters_and_signs_as_labels(root):
    rows = planted.read_table(root)
    planted.write_table(
        root, [[row[0], ("a", "A", "ER", "ER-")[i % 4]] for i, row in enumerate(rows)], ("path", "label")
    )


@harmless("split_folders", {"train": 12, "val": 12})
def split_folders_by_their_usual_names(root):
    (root / "train").rename(root / "training_set")
    (root / "test").rename(root / "dev")


@harmless("masks")
def left_and_right_eyes(root):
    for folder in (root / "images", root / "masks"):
        for path in [*folder.iterdir()]:
            path.rename(folder / f"{path.stem}_L.png")
    for i in range(8):
        planted.save(root / "images" / f"{i}_R.png", 50 + i)
        planted.write_mask(root / "masks" / f"{i}_R.png", planted.mask_of(i))


@harmless("masks")
def masks_that_number_hundreds_of_objects(root):
    (root / "classes.txt").unlink()
    for path in (root / "masks").iterdir():
        planted.write_mask(path, np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) // 8)


@harmless("masks")
def palettes_of_the_listed_colours(root):
    (root / "classes.txt").write_text("128 64 128 road\n0 0 142 car\n107 142 35 tree\n")
    for path in (root / "masks").iterdir():
        mask = Image.open(path)
        mask.putpalette([128, 64, 128, 0, 0, 142, 107, 142, 35])
        mask.save(path)


@harmless("voc", {"train": 5, "test": 3})
def voc_lists_of_another_task(root):
    (root / "ImageSets" / "Segmentation").mkdir()
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("0\n1\n")


@harmless("voc", {"train": 5, "test": 3})
def voc_lists_of_one_class(root):
    for split in ("train", "test"):
        names = (root / "ImageSets" / "Main" / f"{split}.txt").read_text().splitlines()
        rows = "".join(f"{name} {-1 if i else 1}\n" for i, name in enumerate(names))
        (root / "ImageSets" / "Main" / f"train_{split}.txt").write_text(rows)


@harmless("voc")
def voc_names_with_a_space(root):
    for path in (root / "JPEGImages" / "0.jpg", root / "Annotations" / "0.xml"):
        path.rename(path.with_stem("my 0"))
    names = root / "ImageSets" / "Main" / "train.txt"
    names.write_text(names.read_text().replace("0\n", "my 0\n", 1))


@harmless("coco")
def coco_captions(root):
    captions = [{"id": i, "image_id": 1 + i, "caption": "a street"} for i in range(8)]
    document = {"images": planted.read_coco(root)["images"], "annotations": captions}
    (root / "captions.json").write_text(json.dumps(document))


@harmless("coco")
def names_in_the_letters_of_a_mac(root):
    (root / "images" / "0.jpg").rename(root / "images" / "u\u0308.jpg")
    change_coco(root, lambda d: d["images"][0].update(file_name="images/\xfc.jpg"))


@harmless("dicom")
def slopes_written_differently(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, RescaleSlope="1.000000", RescaleIntercept="-1024.0")


@harmless("dicom")
def code_for_a_name(root):
    planted.write_dicom(root / "ill" / "1.dcm", 101, PatientName="P101")


@harmless("dicom")
def patients_without_a_code(root):
    for i, path in enumerate(sorted(root.rglob("*.dcm"))):
        path.unlink()
        planted.write_dicom(
            root / ("train", "test")[i % 2] / path.parent.name / path.name, i, PatientID="Anonymous"
        )


@pytest.mark.parametrize(("base", "task"), BASES.items())
def test_a_clean_folder_gives_no_alarm(tmp_path, base, task):
    getattr(planted, base)(tmp_path)
    found = inspect_folder(tmp_path, task, progress=False)
    assert [f for f in found.findings if f.level != "note"] == []
    assert found.ok and found.summary["pictures"] == found.summary["readable"] >= 8
    assert report.verdict(found).startswith("Ready")


@pytest.mark.parametrize(("base", "change", "splits"), HARMLESS)
def test_what_is_no_fault_gives_no_alarm(tmp_path, base, change, splits):
    getattr(planted, base)(tmp_path)
    change(tmp_path)
    found = inspect_folder(tmp_path, BASES[base], progress=False)
    assert [(f.code, f.title) for f in found.findings if f.level != "note"] == []
    assert splits in (None, found.summary["splits"])


@pytest.mark.parametrize(("base", "task", "plant", "code", "level", "file"), FAULTS)
def test_a_planted_fault_is_found(tmp_path, base, task, plant, code, level, file):
    getattr(planted, base)(tmp_path)
    plant(tmp_path)
    found = inspect_folder(tmp_path, task, progress=False)
    finding = found.found(code)
    assert finding, f"not found; findings: {[(f.code, f.title) for f in found.findings]}"
    assert finding.level == level and found.ok == all(f.level != "error" for f in found.findings)
    assert any(file in str(place) for place in finding.places) or not file, finding.places
    assert finding.title and finding.advice.endswith((".", "?"))
    unexpected = [f.code for f in found.findings if f.level == "error" and f.code != code]
    assert len(unexpected) <= (level == "error"), unexpected
    json.dumps(report.document(found))
    assert page.html(found).count("<h2>") >= 1 and "\n".join(report.lines(found))


def test_there_are_forty_faults_and_more():
    assert len(FAULTS) >= 100
    assert {values.values[0] for values in FAULTS} == set(BASES)
