"""The reader's own boxes: three formats that say the same, and every kind of wrong entry named by file and line."""

import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import forget_sources, sources_used
from course_utils.detection.own import read_boxes
from course_utils.errors import DataError
from course_utils.inspection import inspect_folder

BOXES = {"a.png": [((10, 20, 50, 60), "cat"), ((0, 0, 100, 40), "dog")], "b.png": [((30, 5, 45, 25), "dog")]}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "images").mkdir()
    for name in BOXES:
        Image.fromarray(np.full((80, 100, 3), 200, np.uint8)).save(tmp_path / "images" / name)
    return tmp_path


def write_coco(root, extra=(), images=()):
    """One entry a line: images from line 3, annotations from line 9."""
    pictures = [{"id": i, "file_name": name} for i, name in enumerate(BOXES)] + list(images)
    rows = [
        {
            "id": 1,
            "image_id": i,
            "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
            "category_id": 1 + (k == "dog"),
        }
        for i, own in enumerate(BOXES.values())
        for b, k in own
    ] + list(extra)
    lines = lambda rows: ",\n".join(map(json.dumps, rows))  # noqa: E731
    kinds = '[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]'
    text = f'{{"info": {{"year": 2017}},\n"categories": {kinds},\n"images": [\n{lines(pictures)}],\n"annotations": [\n{lines(rows)}]}}'
    (root / "instances.json").write_text(text)
    return text.splitlines()


def write_voc(root, extra="", name="a"):
    for picture, own in BOXES.items():
        things = "".join(
            f"<object>\n<name>{k}</name>\n<bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox>\n</object>\n"
            for b, k in own
        )
        more = extra if picture.startswith(name) else ""
        text = f"<annotation>\n<filename>{picture}</filename>\n{things}{more}</annotation>\n"
        (root / f"{picture[0]}.xml").write_text(text)


def write_yolo(root, extra=""):
    (root / "labels").mkdir()
    (root / "classes.txt").write_text("cat\ndog\n")
    for picture, own in BOXES.items():
        rows = [
            f"{int(k == 'dog')} {(b[0] + b[2]) / 200} {(b[1] + b[3]) / 160} {(b[2] - b[0]) / 100} {(b[3] - b[1]) / 80}\n"
            for b, k in own
        ]
        (root / "labels" / f"{picture[0]}.txt").write_text(
            "".join(rows) + (extra if picture[0] == "a" else "")
        )


@pytest.mark.parametrize("write", [write_coco, write_voc, write_yolo])
def test_three_formats_say_the_same(root, write):
    write(root)
    own = read_boxes(root)
    assert own.problems == [] and own.classes == ("cat", "dog") and [p.name for p in own.paths] == list(BOXES)
    for i, wanted in enumerate(BOXES.values()):
        assert torch.allclose(
            own.boxes[i], torch.tensor([b for b, _ in wanted], dtype=torch.float32), atol=1e-3
        )
        assert [own.classes[k] for k in own.labels[i]] == [k for _, k in wanted]
    forget_sources()
    assert read_boxes(root) and sources_used() == {}  # looking at files is not yet a use
    data = own.in_memory(50)
    assert sources_used() == {data.name: "own pictures"}
    assert data.images.shape == (2, 3, 37, 50) and data.source == "own pictures"
    assert torch.allclose(data.boxes[0], own.boxes[0] * (37 / 80), atol=1e-3)
    assert (data.images[0, :, :36, :45] == 200).all() and (data.images[0, :, :, 47:] == 128).all()


def said(own, word):
    """The line of the one problem that holds ``word``, and its file's name."""
    (problem,) = [p for p in own.problems if word in p.what]
    assert str(problem).startswith(f"{problem.file.name}:{problem.line}: ")
    return problem.file.name, problem.line


def test_what_is_wrong_in_a_coco_file(root):
    entry = {"id": 9, "image_id": 0, "category_id": 1}
    bad = [
        entry | {"bbox": [90, 10, 30, 10]},
        entry | {"bbox": [10, 10, 0, 10]},
        entry | {"bbox": [10, 10, 5, 5], "category_id": 7},
        entry | {"bbox": [10, 10, 5, 5], "image_id": 5},
        entry | {"bbox": [10, 10]},
        entry | {"bbox": [300, 10, 5, 5]},
    ]
    lines = write_coco(root, bad, [{"id": 5, "file_name": "gone.png"}])
    own = read_boxes(root)
    line = lambda text: 1 + next(i for i, row in enumerate(lines) if text in row)  # noqa: E731
    assert said(own, "cut at the edge") == ("instances.json", line("[90, 10"))
    assert said(own, "no area") == ("instances.json", line("[10, 10, 0"))
    assert said(own, "unknown class 'category_id 7'") == ("instances.json", line('"category_id": 7'))
    assert said(own, "'gone.png' is missing") == ("instances.json", line("gone.png"))
    assert said(own, "not four numbers") == ("instances.json", line('"bbox": [10, 10]}'))
    assert said(own, "lies outside 100×80") == ("instances.json", line("[300, 10"))
    assert own.boxes[0][-1].tolist() == [90, 10, 100, 20] and len(own.boxes[0]) == 3


def test_what_is_wrong_in_a_voc_file(root):
    thing = "<object>\n<name>{}</name>\n<bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox>\n</object>\n"
    write_voc(
        root,
        thing.format("cat", 90, 130)
        + thing.format("cow", 1, 9)
        + thing.format("cat", 9, 9)
        + thing.format("cat", "x", 9),
    )
    (root / "c.xml").write_text("<annotation><filename>c.png</filename></annotation>")
    (root / "d.xml").write_text("<annotation>\n<object>\n</annotation>")
    own = read_boxes(root, classes=("cat", "dog"))
    assert said(own, "cut at the edge") == ("a.xml", 11)
    assert said(own, "unknown class 'cow'") == ("a.xml", 15)
    assert said(own, "no area") == ("a.xml", 19)
    assert said(own, "no four numbers") == ("a.xml", 23)
    assert said(own, "'c.png' is missing") == ("c.xml", 1)
    assert said(own, "not XML") == ("d.xml", 3)


def test_a_voc_file_that_names_no_picture_means_the_one_of_its_own_name(root):
    write_voc(root)
    text = (root / "a.xml").read_text()
    (root / "a.xml").write_text(text.replace("<filename>a.png</filename>", ""))
    assert read_boxes(root).problems == [] and len(read_boxes(root)) == 2


def test_a_doctype_is_refused(root):
    write_voc(root)
    (root / "b.xml").write_text(
        '<!DOCTYPE a [\n<!ENTITY e SYSTEM "file:///etc/hostname">]>\n<annotation>&e;</annotation>'
    )
    with pytest.raises(DataError, match=r"b\.xml:1: a DOCTYPE"):
        read_boxes(root)


def test_what_is_wrong_in_a_yolo_file(root):
    write_yolo(root, "0 0.95 0.5 0.2 0.2\n1 0.5 0.5 0 0.2\n7 0.5 0.5 0.1 0.1\n0 0.5 0.5\n")
    (root / "labels" / "c.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    own = read_boxes(root)
    assert said(own, "cut at the edge") == ("a.txt", 3)
    assert said(own, "no area") == ("a.txt", 4)
    assert said(own, "unknown class 'number 7'") == ("a.txt", 5)
    assert said(own, "not 'class x y width height'") == ("a.txt", 6)
    assert said(own, "'c' is missing") == ("c.txt", 1)


def test_crowds_and_difficult_things_are_left_out(root):
    lines = write_coco(root, [{"image_id": 0, "category_id": 1, "bbox": [0, 0, 99, 79], "iscrowd": 1}])
    own = read_boxes(root)
    assert said(own, "a crowd") == ("instances.json", len(lines)) and len(own.boxes[0]) == 2
    (root / "instances.json").unlink()
    thing = "<object><name>cat</name><difficult>{}</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>\n"
    write_voc(root, thing.format(1) + thing.format(0))
    own = read_boxes(root)
    assert said(own, "difficult") == ("a.xml", 11) and len(own.boxes[0]) == 3


def test_a_voc_object_without_a_name_makes_no_class(root):
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    write_voc(root, f"<object>{box}</object>\n<object><name> </name>{box}</object>\n")
    own = read_boxes(root)
    assert [p.line for p in own.problems if "no name" in p.what] == [11, 12]
    assert own.classes == ("cat", "dog") and len(own.boxes[0]) == 2


@pytest.mark.parametrize("write", [write_coco, write_voc, write_yolo])
def test_a_picture_that_no_file_names_is_told(root, write):
    write(root)
    coloured(root / "images" / "new.png", 9)
    own = read_boxes(root)
    assert said(own, "no file of boxes names it; left out") == ("new.png", 1) and len(own) == 2
    assert inspect_folder(root, "detection", progress=False).found("unlisted").files == ("images/new.png",)


def test_a_damaged_picture_is_named(root):
    write_yolo(root)
    (root / "images" / "b.png").write_bytes(b"no picture")
    assert said(read_boxes(root), "content is not a picture") == ("b.txt", 1)


def test_a_name_that_two_pictures_have_is_told(root):
    write_coco(root)
    (root / "other").mkdir()
    (root / "other" / "a.png").write_bytes((root / "images" / "a.png").read_bytes())
    own = read_boxes(root)
    assert said(own, "2 pictures have this name") == ("instances.json", 4) and len(own) == 1


def coloured(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((80, 100, 3), value, np.uint8)).save(path)


@pytest.mark.parametrize("kind", ["one file", "a file for each split", "yolo", "yolo, kinds first", "voc"])
def test_each_box_lands_on_its_own_picture_where_two_folders_share_names(tmp_path, kind):
    """The picture's grey value is the box's left edge."""
    edges = {"train": 30, "val": 60}
    for split, left in edges.items():
        if kind == "yolo":
            coloured(tmp_path / split / "images" / "a.png", left)
            text = tmp_path / split / "labels" / "a.txt"
        elif kind == "yolo, kinds first":
            coloured(tmp_path / "images" / split / "a.png", left)
            text = tmp_path / "labels" / split / "a.txt"
        else:
            coloured(tmp_path / split / "a.png", left)
            text = tmp_path / split / "a.xml"
        if kind.startswith("yolo"):
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text(f"0 {(left + 5) / 100} 0.5 0.1 0.1\n")
            (tmp_path / "classes.txt").write_text("cat\n")
        if kind == "voc":
            text.write_text(
                "<annotation><filename>a.png</filename><object><name>cat</name><bndbox>"
                f"<xmin>{left}</xmin><ymin>5</ymin><xmax>{left + 9}</xmax><ymax>9</ymax></bndbox></object></annotation>"
            )
    category = [{"id": 1, "name": "cat"}]
    rows = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [x, 5, 9, 9]} for i, x in enumerate(edges.values())
    ]
    if kind == "one file":
        images = [{"id": i, "file_name": f"{split}/a.png"} for i, split in enumerate(edges)]
        text = json.dumps({"images": images, "annotations": rows, "categories": category})
        (tmp_path / "all.json").write_text(text)
    if kind == "a file for each split":
        for i, split in enumerate(edges):
            images = [{"id": i, "file_name": "a.png"}]
            text = json.dumps({"images": images, "annotations": [rows[i]], "categories": category})
            (tmp_path / split / "boxes.json").write_text(text)
    own = read_boxes(tmp_path)
    assert own.problems == [] and len(own) == 2 and own.splits == list(edges)
    seen = inspect_folder(tmp_path, "detection").layout.items
    assert {tmp_path / item.file: item.split for item in seen} == dict(
        zip(own.paths, own.splits, strict=True)
    )
    for path, boxes in zip(own.paths, own.boxes, strict=True):
        assert np.asarray(Image.open(path))[0, 0, 0] == round(boxes[0, 0].item())


def yolo_folder(root, counts):
    """So many pictures below each folder of images; the grey value is the picture's number. Returns their numbers by folder."""
    numbers = iter(range(sum(counts.values())))
    (root / "classes.txt").write_text("cat\n")
    found = {folder: [next(numbers) for _ in range(n)] for folder, n in counts.items()}
    for folder, own in found.items():
        (root / "labels" / folder).mkdir(parents=True, exist_ok=True)
        for number in own:
            coloured(root / "images" / folder / f"{number}.png", number)
            (root / "labels" / folder / f"{number}.txt").write_text("0 .5 .5 .2 .2\n")
    return found


def in_parts(parts):
    """The numbers of the pictures in each part."""
    return [sorted(part.images[:, 0, 0, 0].tolist()) for part in parts]


def test_given_parts_are_kept_and_missing_ones_drawn_from_train(tmp_path):
    given = yolo_folder(tmp_path, {"train": 15, "val": 3, "test": 4})
    own = read_boxes(tmp_path)
    parts = own.parts(40, seed=0)
    assert in_parts(parts) == list(given.values())
    assert [part.split for part in parts] == ["train", "val", "test"]
    own.splits = ["train" if split == "test" else split for split in own.splits]  # 19 train, 3 val
    train, val, test = in_parts(own.parts(40, seed=0))
    assert val == given["val"] and len(test) == 4 and sorted(train + test) == given["train"] + given["test"]
    assert in_parts(own.parts(40, seed=1))[2] != test


def test_without_parts_all_pictures_are_divided(tmp_path):
    yolo_folder(tmp_path, {"test_tubes": 20})  # what is called test without a train is no part
    parts = in_parts(read_boxes(tmp_path).parts(40, seed=0))
    assert [len(part) for part in parts] == [12, 4, 4] and sorted(itertools.chain(*parts)) == list(range(20))


def test_without_a_train_the_unnamed_pictures_train(tmp_path):
    given = yolo_folder(tmp_path, {"test": 4, "": 15})
    train, val, test = in_parts(read_boxes(tmp_path).parts(40, seed=0))
    assert test == given["test"] and len(val) == 3 and sorted(train + val) == given[""]


def test_a_picture_without_a_part_is_told_where_others_have_one(tmp_path):
    given = yolo_folder(tmp_path, {"train": 10, "more": 2})
    own = read_boxes(tmp_path)
    assert [p.file.name for p in own.problems if "no split, others have" in p.what] == ["10.txt", "11.txt"]
    assert sorted(itertools.chain(*in_parts(own.parts(40, seed=0)))) == given["train"]


def test_too_few_pictures_for_the_parts_are_told(tmp_path):
    yolo_folder(tmp_path, {"train": 10, "val": 1})
    with pytest.raises(
        DataError, match=r"11 pictures make 8 train, 1 val, 2 test. At least 6, 2, 2 are needed"
    ):
        read_boxes(tmp_path).parts(40, seed=0)


def test_the_size_that_the_labels_state_is_held_against_the_picture(root):
    write_coco(root)
    told = json.loads((root / "instances.json").read_text())
    for image in told["images"]:
        image |= (
            {"width": 100, "height": 80} if image["file_name"] == "a.png" else {"width": 50, "height": 40}
        )
    (root / "instances.json").write_text(json.dumps(told))
    own = read_boxes(root)
    assert [p.name for p in own.paths] == ["a.png"]
    assert said(own, "the labels say 50×40, the picture is 100×80; left out") == ("instances.json", 1)


def coco_of_splits(root, splits, missing=()):
    """COCO's own layout: annotations/instances_train2017.json beside train2017/, the same names in each folder."""
    (root / "annotations").mkdir()
    for split, left in splits.items():
        if split not in missing:
            coloured(root / f"{split}2017" / "a.png", left)
        text = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "cat"}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [left, 5, 9, 9]}]}  # fmt: skip
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(text))


def test_a_coco_file_means_the_pictures_of_its_split(tmp_path):
    coco_of_splits(tmp_path, {"train": 30, "val": 60})
    own = read_boxes(tmp_path)
    assert own.problems == [] and own.splits == ["train", "val"]
    for path, boxes in zip(own.paths, own.boxes, strict=True):
        assert np.asarray(Image.open(path))[0, 0, 0] == round(boxes[0, 0].item())
    seen = inspect_folder(tmp_path, "detection").layout.items
    assert {tmp_path / item.file: item.split for item in seen} == dict(
        zip(own.paths, own.splits, strict=True)
    )


def test_boxes_of_a_missing_split_are_not_drawn_on_another(tmp_path):
    coco_of_splits(tmp_path, {"train": 30, "val": 60}, missing=["val"])
    own = read_boxes(tmp_path)
    assert said(own, "only another split has one")[0] == "instances_val2017.json"
    assert len(own) == 1 and len(own.boxes[0]) == 1


@pytest.mark.parametrize(("train", "val"), [("train.txt", "val.txt"), ("Train.txt", "Validation.txt")])
def test_lists_of_paths_give_the_parts(tmp_path, train, val):
    given = yolo_folder(tmp_path, {"": 12})[""]
    (tmp_path / train).write_text("".join(f"./images/{i}.png\n" for i in given[:9]))
    (tmp_path / val).write_text("".join(f"data/obj_train_data/images/{i}.png\n" for i in given[9:]))
    own = read_boxes(tmp_path)
    assert own.problems == [] and own.splits.count("train") == 9 and own.splits.count("val") == 3
    seen = inspect_folder(tmp_path, "detection").layout.items
    assert {tmp_path / item.file: item.split for item in seen} == dict(
        zip(own.paths, own.splits, strict=True)
    )


def test_lists_of_cvat_tell_the_videos_of_the_same_names_apart(tmp_path):
    yolo_folder(tmp_path, {"v0": 4, "v1": 4, "v2": 4})
    for part, videos in (("train", ("v0", "v1")), ("valid", ("v2",))):
        for video in videos:
            for i, old in enumerate(sorted((tmp_path / "images" / video).iterdir())):
                old.rename(old.with_name(f"{i:06}.png"))
                (tmp_path / "labels" / video / f"{old.stem}.txt").rename(
                    tmp_path / "labels" / video / f"{i:06}.txt"
                )
        lines = [f"data/images/{video}/{i:06}.png\n" for video in videos for i in range(4)]
        (tmp_path / f"{part}.txt").write_text("".join(lines))
    own = read_boxes(tmp_path)
    assert own.problems == [] and own.splits == ["train"] * 8 + ["val"] * 4
    with open(tmp_path / "valid.txt", "a") as file:
        file.write("data/images/v0/000000.png\n")
    told = inspect_folder(tmp_path, "detection").found("two-splits")
    assert told.files == ("valid.txt",) and told.level == "error"


def test_two_pictures_of_one_name_are_told_as_such_where_the_split_does_not_choose(tmp_path):
    coco_of_splits(tmp_path, {"train": 30})
    for side in ("left", "right"):
        coloured(tmp_path / side / "b.png", 9)
    file = tmp_path / "annotations" / "instances_train2017.json"
    text = json.loads(file.read_text())
    text["images"].append({"id": 2, "file_name": "b.png"})
    file.write_text(json.dumps(text))
    assert said(read_boxes(tmp_path), "2 pictures have this name: left/b.png, right/b.png")


@pytest.mark.parametrize("width", ["inf", "nan", "-1", "wide"])
def test_a_size_that_is_none_is_not_held_against_the_picture(root, width):
    write_voc(root)
    text = (root / "a.xml").read_text()
    size = f"<size><width>{width}</width><height>80</height></size></annotation>"
    (root / "a.xml").write_text(text.replace("</annotation>", size))
    assert read_boxes(root).problems == []


def test_a_file_of_a_whole_task_is_no_pascal_voc(root):
    write_yolo(root)
    (root / "annotations.xml").write_text(
        '<?xml version="1.0"?>\n<annotations>\n<image name="a.png"/></annotations>'
    )
    assert read_boxes(root).problems == [] and inspect_folder(root, "detection").layout.format == "YOLO text"


def test_labels_of_two_pictures_of_one_name_are_told_alike(root):
    write_yolo(root)
    Image.fromarray(np.full((80, 100, 3), 200, np.uint8)).save(root / "images" / "a.jpg")
    assert said(read_boxes(root), "'a' is missing") == ("a.txt", 1)
    assert inspect_folder(root, "detection").found("missing-picture").files == ("labels/a.txt",)


def test_lists_of_pascal_voc_give_the_parts(root):
    write_voc(root)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for part, name in (("train", "b"), ("val", "a")):
        (root / "ImageSets" / "Main" / f"{part}.txt").write_text(f"{name}\n")
    assert read_boxes(root).splits == ["val", "train"]


def test_no_box_goes_to_the_picture_of_another_split(tmp_path):
    for split in ("train", "val"):
        coloured(tmp_path / "images" / split / "a.png", 9)
        (tmp_path / "labels" / split).mkdir(parents=True)
        (tmp_path / "labels" / split / "a.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "classes.txt").write_text("cat\n")
    (tmp_path / "images" / "val" / "a.png").unlink()
    own = read_boxes(tmp_path)
    assert said(own, "only another split has one: images/train/a.png") == ("a.txt", 1) and len(own) == 1
    assert len(own.boxes[0]) == 1


def test_pictures_elsewhere_keep_their_folders(tmp_path):
    for split, left in (("train", 30), ("val", 60)):
        coloured(tmp_path / "pictures" / split / "a.png", left)
        (tmp_path / "notes" / split).mkdir(parents=True)
        (tmp_path / "notes" / split / "a.txt").write_text(f"0 {(left + 5) / 100} .5 .1 .2\n")
    (tmp_path / "notes" / "classes.txt").write_text("cat\n")
    own = read_boxes(tmp_path / "notes", pictures=tmp_path / "pictures")
    assert own.problems == [] and [round(b[0, 0].item()) for b in own.boxes] == [30, 60]


def test_a_path_may_begin_with_the_name_of_the_folder(root):
    text = write_coco(root)
    (root / "instances.json").write_text("\n".join(text).replace('"a.png"', f'"{root.name}/images/a.png"'))
    assert read_boxes(root).problems == []


def test_a_box_along_the_edge_is_left_out(root):
    write_coco(root, [{"id": 9, "image_id": 0, "category_id": 1, "bbox": [100, 5, 1, 9]}])
    own = read_boxes(root)
    assert said(own, "lies outside 100×80")[0] == "instances.json" and len(own.boxes[0]) == 2


VOC = "<annotation><filename>{}</filename><object><name>dog</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object></annotation>"
EXPORTS = {
    "Label Studio": (write_yolo, {"notes.json": '{"categories": [], "info": {}}'}),
    "Roboflow": (write_yolo, {"README.dataset.txt": "# cats > 2024\n"}),
    "Darknet": (write_yolo, {"classes.txt": None, "obj.names": "cat\ndog\n"}),
    "dataset.yaml": (write_yolo, {"classes.txt": None, "dataset.yaml": "names: [cat, dog]"}),
    "a list without names": (write_yolo, {"classes.txt": None, "data.yaml": "nc: 2", "obj.names": "cat\ndog\n"}),
    "polygons": (write_yolo, {"labels/b.txt": "1 .3 .1 .4 .1 .4 .3 .3 .3\n"}),
    "keypoints": (write_yolo, {"classes.txt": None, "data.yaml": "names: [cat, dog]\nkpt_shape: [2, 3]",
                               "labels/a.txt": "0 .5 .5 .2 .2 .4 .4 2 .9 .9 2\n" * 2, "labels/b.txt": "1 .5 .5 .2 .2 .4 .4 2 .9 .9 2\n"}),
    "a byte order mark": (write_yolo, {"labels/b.txt": "\ufeff1 .5 .5 .2 .2\n"}),
    "JSON with comments": (write_yolo, {"settings.json": "{ // mine"}),
    "XML of another kind": (write_yolo, {"pom.xml": "<project/>"}),
    "an editor's folder": (write_coco, {".vscode/settings.json": "{ // mine"}),
    "a notebook's copies": (write_voc, {".ipynb_checkpoints/a-checkpoint.xml": VOC.format("a.png")}),
    "a macOS archive": (write_coco, {"._instances.json": "\0\5\x16\7"}),
    "an empty filename": (write_voc, {"b.xml": VOC.format("")}),
    "an old filename": (write_voc, {"b.xml": VOC.format("IMG_17.JPG")}),
}  # fmt: skip


@pytest.mark.parametrize("export", EXPORTS)
def test_what_the_inspection_calls_good_can_be_read(root, export):
    write, files = EXPORTS[export]
    write(root)
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8") if text else (root / name).unlink()
    report, own = inspect_folder(root, "detection", progress=False), read_boxes(root)
    assert report.ok, [finding.title for finding in report.findings]
    assert own.problems == [] and own.classes == ("cat", "dog")
    assert sum(map(len, own.boxes)) == report.summary["boxes"]


def test_a_picture_may_be_named_train(root):
    write_yolo(root)
    coloured(root / "images" / "train.png", 9)
    (root / "labels" / "train.txt").write_text("0 .5 .5 .2 .2")
    (root / "test.txt").write_text("images/a.png\n")  # a list of pictures
    own = read_boxes(root)
    assert own.problems == [] and [len(boxes) for boxes in own.boxes] == [2, 1, 1]


def test_a_polygon_gives_the_box_around_it(root):
    write_yolo(root, "0 .1 .2 .5 .2 .5 .6 .3 .7\n0 .2 .2 .1 .1 .9\n0 .1 .1 .2 .2 .3 .3 .9\n")
    own = read_boxes(root)
    assert torch.allclose(own.boxes[0][2], torch.tensor([10.0, 16, 50, 56]))
    assert torch.allclose(own.boxes[0][3], torch.tensor([15.0, 12, 25, 20]))  # a confidence follows
    assert said(own, "not 'class x y width height'") == ("a.txt", 5)


def test_a_broken_file_beside_good_ones_of_its_format_stops_everything(root):
    write_coco(root)
    (root / "val.json").write_text("{")
    (root / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"val\.json:1: not JSON"):
        read_boxes(root)


@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_few_pictures_leave_an_empty_split_that_counts_nothing(root, pictures):
    write_yolo(root)
    data = read_boxes(root).in_memory(32).subset([0, 1, 0][:pictures])
    parts = np.split(np.arange(pictures), [round(0.6 * pictures), round(0.8 * pictures)])
    counts = [data.subset(part).counts() for part in parts]
    assert [c.shape for c in counts] == [(len(part), 2) for part in parts] and torch.cat(counts).sum() > 0


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("{1: dog, 0: cat}", ("cat", "dog")),
        ("{0: cat, 2: dog}", ("cat", "number 1", "dog")),
        ("[cat, dog]", ("cat", "dog")),
    ],
)
def test_names_of_classes_go_by_their_numbers(root, names, wanted):
    (root / "data.yaml").write_text(f"names: {names}")
    (root / "images" / "a.txt").write_text(f"{len(wanted) - 1} .5 .5 .2 .2")
    own = read_boxes(root)
    assert own.classes == wanted and wanted[own.labels[0][0]] == "dog"


def test_what_cannot_be_used_at_all_says_what_is_expected(root, tmp_path):
    with pytest.raises(DataError, match=r"no boxes.*Pascal VOC"):
        read_boxes(root)
    with pytest.raises(DataError, match="not there"):
        read_boxes(root / "nowhere")
    (root / "instances.json").write_text('{"images": [],\n "annotations": [')
    with pytest.raises(DataError, match=r"instances.json:2: not JSON"):
        read_boxes(root)
    (root / "instances.json").unlink()
    (root / "a.txt").write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match=r"classes\.txt"):
        read_boxes(root)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("b.json", '{"images": "\u00e9"}'.encode("latin-1"), "byte 12 is not UTF-8"),
        ("b.json", b"[" * 100_000, "too deep"),
        ("b.json", b'{"images": [{"id": [1], "file_name": "a.png"}], "annotations": [], "categories": []}', "no usable box"),
        ("a.xml", b"<?xml version='1.0' encoding='nonsense'?><annotation/>", "a.xml:1: not XML"),
        ("data.yaml", b"names: [a", "not YAML"),
        ("data.yaml", b"- a", "no names"),
        ("data.yaml", b"names: 7", "no names"),
        ("data.yaml", b"names: {cat: 0}", "names has the keys .'cat'.*whole numbers"),
        ("data.yaml", b"names: {-1: cat}", "names has the number -1"),
        ("classes.txt", b"\xe9", "not UTF-8"),
        ("classes.txt", b"\n", "classes.txt: no names"),
        ("classes.txt", b"cat\ndog\ncat\n", "2 classes have the name 'cat'"),
        ("data.yaml", b"names: {0: cat, 3: cat}", "2 classes have the name 'cat'"),
    ],
)  # fmt: skip
def test_a_file_of_nonsense_is_named(root, file, content, words):
    (root / file).write_bytes(content)
    if file in ("data.yaml", "classes.txt"):
        (root / "a.txt").write_text("0 .5 .5 .2 .2")
    with pytest.raises(DataError, match=words):
        read_boxes(root)


def test_numbers_that_are_no_digits_are_unknown_classes(root):
    (root / "classes.txt").write_text("cat")
    (root / "a.txt").write_text("² .5 .5 .2 .2\n0 .5 .5 .2 .2\n", encoding="utf-8")
    (root / "b.txt").touch()  # nothing is on it
    assert [str(p) for p in read_boxes(root).problems] == [
        "a.txt:1: unknown class 'number ²'; left out. Known: cat"
    ]
