"""The reader's own drives: masks with boxes in three formats or none, every fault named by file; splits by video."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import load, sources_used
from course_utils.driving.boxes import THINGS, component_boxes
from course_utils.driving.own import driving_folder, from_masks
from course_utils.driving.sequences import sequence, split_sequences
from course_utils.errors import CourseError, DataError
from course_utils.inspection import inspect_folder
from course_utils.synthetic.dashcam import CLASSES, Label, drive

SIZE = (120, 90)  # of the pictures below: width, height
FRAMES = {
    "walk_000": [((20, 40, 60, 70), "car"), ((80, 30, 90, 60), "pedestrian")],
    "ride_007": [((0, 50, 30, 70), "car")],
}


@pytest.fixture
def root(tmp_path):
    """Two frames with masks: road below, what is in the boxes above it."""
    for part in ("images", "masks", "boxes"):
        (tmp_path / part).mkdir()
    (tmp_path / "classes.txt").write_text("0 road\n1 car\n2 pedestrian\n9 ignore\n")
    for name, boxes in FRAMES.items():
        mask = np.zeros(SIZE[::-1], np.uint8)
        mask[:5] = 9
        for (x0, y0, x1, y1), thing in boxes:
            mask[y0:y1, x0:x1] = 1 + (thing == "pedestrian")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
        Image.fromarray(np.repeat(mask[..., None] * 20 + 10, 3, 2) + np.uint8([0, 1, 2])).save(
            tmp_path / "images" / f"{name}.png"
        )
    return tmp_path


def write_coco(root, extra=()):
    images = [{"id": i, "file_name": f"images/{name}.png"} for i, name in enumerate(FRAMES)]
    rows = [
        {
            "image_id": i,
            "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
            "category_id": 1 + (thing == "pedestrian"),
        }
        for i, boxes in enumerate(FRAMES.values())
        for b, thing in boxes
    ]
    kinds = [{"id": 1, "name": "car"}, {"id": 2, "name": "pedestrian"}]
    (root / "boxes" / "drive.json").write_text(
        json.dumps({"images": images, "annotations": rows + list(extra), "categories": kinds})
    )


def write_voc(root):
    for name, boxes in FRAMES.items():
        things = "".join(
            f"<object><name>{thing}</name><bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox></object>"
            for b, thing in boxes
        )
        (root / "boxes" / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.png</filename>{things}</annotation>"
        )


def write_yolo(root):
    (root / "boxes" / "classes.txt").write_text("car\npedestrian\n")
    w, h = SIZE
    for name, boxes in FRAMES.items():
        rows = [
            f"{int(thing == 'pedestrian')} {(b[0] + b[2]) / 2 / w} {(b[1] + b[3]) / 2 / h} {(b[2] - b[0]) / w} {(b[3] - b[1]) / h}\n"
            for b, thing in boxes
        ]
        (root / "boxes" / f"{name}.txt").write_text("".join(rows))


WRITERS = {
    "coco": write_coco,
    "voc": write_voc,
    "yolo": write_yolo,
    "masks": lambda root: (root / "boxes").rmdir(),
}


@pytest.mark.parametrize("form", WRITERS)
def test_masks_and_boxes_come_out_the_same_from_every_format(root, form):
    WRITERS[form](root)
    data = driving_folder(root, size=180)
    assert data.names == sorted(FRAMES) and data.classes == ("road", "car", "pedestrian")
    assert data.images.shape == (2, 3, 180, 240) and data.images.dtype == torch.uint8
    assert data.masks.shape == (2, 180, 240) and data.masks.unique().tolist() == [0, 1, 2, 255]
    assert not data.problems and data.things == ("car", "pedestrian") and data.sequences == ["ride", "walk"]
    for i, name in enumerate(data.names):
        wanted = torch.tensor([b for b, _ in FRAMES[name]], dtype=torch.float32) * 2
        assert torch.allclose(data.boxes[i], wanted, atol=1e-3)
        assert [data.things[k] for k in data.labels[i]] == [thing for _, thing in FRAMES[name]]
    part = data.subset([1])
    assert part.names == ["walk_000"] and len(part.boxes[0]) == 2 and part.things == data.things
    assert len(data.subset([])) == len(data.subset([]).boxes) == 0
    assert data.counts().sum() == (data.masks != 255).sum()
    assert sources_used()[root.name] == "own pictures" == data.source


def test_pictures_beside_the_boxes_are_no_frames(root):
    """A whole export may lie in boxes/, its pictures too."""
    write_yolo(root)
    for name in FRAMES:
        shutil.copy(root / "images" / f"{name}.png", root / "boxes" / f"{name}.png")
    assert driving_folder(root, 96).problems == []
    report = inspect_folder(root, "driving", progress=False)
    assert report.ok and report.summary["boxes"] == 3 and report.summary["masks"] == 2


@pytest.mark.parametrize("form", WRITERS)
def test_the_inspection_reads_the_same_folders(root, form):
    WRITERS[form](root)
    report = inspect_folder(root, "driving", progress=False)
    assert report.ok, [finding.title for finding in report.findings]
    assert report.summary["masks"] == 2 and report.summary["boxes"] == (None if form == "masks" else 3)
    if form == "coco":
        extra = [{"image_id": 0, "bbox": [100, 10, 50, 5], "category_id": 1}]
        write_coco(root, extra)
        Image.new("L", (5, 5)).save(root / "masks" / "walk_000.png")
        report = inspect_folder(root, "driving", progress=False)
        assert report.found("box-outside").files == ("boxes/drive.json",)
        assert report.found("mask-size").files == ("masks/walk_000.png",)


def test_a_picture_of_another_shape_is_filled_up(root):
    write_coco(root)
    for folder in ("images", "masks"):
        with Image.open(root / folder / "walk_000.png") as image:
            image.crop((0, 0, 120, 45)).save(root / folder / "walk_000.png")
    data = driving_folder(root, size=60)
    mask, picture = data.masks[1], data.images[1]
    assert data.images.shape == (2, 3, 60, 80) and (mask[30:] == 255).all() and (picture[:, 30:] == 128).all()
    assert torch.allclose(data.boxes[1][0], torch.tensor([20, 40, 60, 45]) * (2 / 3), atol=1e-3)
    assert [p.what.split("; ")[-1] for p in data.problems] == ["cut at the edge", "cut at the edge"]


def test_every_fault_of_pictures_masks_and_boxes_is_named_at_once(root):
    (root / "boxes" / "drive.json").write_text("{")
    (root / "images" / "walk_000.png").write_bytes(b"no picture")
    (root / "masks" / "ride_007.png").unlink()
    with pytest.raises(DataError) as caught:
        driving_folder(root)
    for words in (
        "images/walk_000.png: ",
        "images/ride_007.png: no mask",
        "drive.json:1: not JSON",
        "boxes/classes.txt",
    ):
        assert words in str(caught.value), words


def test_boxes_that_can_be_left_out_are_told_with_their_file(root):
    extra = [
        {"image_id": 0, "bbox": [10, 10, 0, 5], "category_id": 1},
        {"image_id": 0, "bbox": [10, 10, 5, 5], "category_id": 7},
        {"image_id": 0, "bbox": [10, 10, 0.4, 5], "category_id": 1},
        {"image_id": 5, "bbox": [10, 10, 5, 5], "category_id": 1},
        {"image_id": 1, "bbox": ["a", 10, 5, 5], "category_id": 1},
    ]
    write_coco(root, extra)
    for folder in ("images", "masks"):
        with Image.open(root / folder / "walk_000.png") as image:
            image.save(root / folder / "walk_001.png")
    data = driving_folder(root)
    told = "\n".join(f"{problem}" for problem in data.problems)
    for words in ("has no area", "unknown class 'category_id 7'", "under one pixel at 240×180", "image_id 5", "not four numbers",
                  "walk_001.png:1: no file of boxes names it"):  # fmt: skip
        assert words in told, words
    assert [len(boxes) for boxes in data.boxes] == [1, 2, 0] and len(data.problems) == 6


def test_other_classes_have_no_boxes(root):
    (root / "boxes").rmdir()
    (root / "classes.txt").write_text("0 ground\n1 Car\n2 crane\n9 ignore\n")
    data = driving_folder(root)
    assert data.things == ("car",) and [len(boxes) for boxes in data.boxes] == [1, 1]
    assert driving_folder(root, things=("tram",)).things == ()


def test_an_unknown_thing_is_named():
    with pytest.raises(CourseError, match=r"the thing 'tram' is no class of the masks\. Valid: road, car"):
        component_boxes(np.zeros((4, 4)), ("road", "car"), ("tram",))


def test_areas_that_touch_make_one_box_and_a_pole_makes_two():
    mask = np.zeros((20, 40), int)
    mask[5:12, 2:30] = 1  # two cars that touch, seen as one area
    assert component_boxes(mask, ("road", "car"), ("car",))[0].tolist() == [[2, 5, 30, 12]]
    mask[:, 10:12] = 2
    boxes, labels = component_boxes(mask, ("road", "car", "pole"), ("car",))
    assert boxes.tolist() == [[2, 5, 10, 12], [12, 5, 30, 12]] and labels.tolist() == [0, 0]
    assert len(component_boxes(mask, ("road", "car", "pole"), ("car",), smallest=100)[0]) == 1


def test_boxes_from_masks_find_most_of_what_the_generator_knows():
    from torchvision.ops import box_iou

    true = found = boxes_made = 0
    for seed in range(6):
        for frame in drive(seed, 2, fps=0.5):
            boxes, labels = component_boxes(frame.labels, CLASSES)
            boxes_made += len(boxes)
            for k, thing in enumerate(THINGS):
                own = [t.box for t in frame.things if t.label == Label[thing.upper()] and t.pixels >= 60]
                true += len(own)
                if own and (labels == k).any():
                    overlap = box_iou(torch.tensor(own).float(), torch.tensor(boxes[labels == k]))
                    found += int((overlap.amax(1) > 0.5).sum())
    assert true > 20 and found / true > 0.5 and boxes_made > 0.5 * true


def test_boxes_of_a_loaded_set_keep_its_name():
    data = load("camvid", "val", source="embedded", size=60)
    own = from_masks(data)
    assert own.things == THINGS and len(own.boxes) == len(own) == 34 and own.card is data.card
    assert own.source == data.source and sum(map(len, own.boxes)) > 10
    assert all(((b[:, 2:] > b[:, :2]).all() and (b[:, 2] <= 80).all()) for b in own.boxes)


@pytest.mark.parametrize("seed", range(3))
def test_no_video_is_on_both_sides(seed):
    names = [f"{video}_{i:03}" for video, n in (("a", 30), ("b", 5), ("c", 10), ("d", 15)) for i in range(n)]
    train, test = split_sequences(names, seed=seed)
    assert sorted([*train, *test]) == list(range(60)) and abs(len(test) - 15) <= 3
    assert not {sequence(names[i]) for i in train} & {sequence(names[i]) for i in test}


def test_a_lone_video_is_cut_with_a_gap():
    names = [f"{i}" for i in np.random.default_rng(0).permutation(40)]
    train, test = split_sequences(names)
    assert sorted(int(names[i]) for i in test) == list(range(30, 40))
    assert sorted(int(names[i]) for i in train) == list(range(26))


@pytest.mark.parametrize(
    "form", ["{:04}_jpg.rf.{}", "{:04}_png_jpg.rf.{}", "{:06}_leftImg8bit", "f{:05}", "frame_{}"]
)
@pytest.mark.parametrize("videos", [("aachen_000001",), ("kings", "queens", "shelf12")])
def test_names_of_an_export_keep_frames_of_a_video_together(form, videos):
    names = [f"{video}_{form.format(i, f'{97 * i % 64:x}b{i}')}" for video in videos for i in range(40)]
    assert {sequence(name) for name in names} == set(videos)
    train, test = map(set, split_sequences(names))
    assert len(test) >= 10 and not train & {
        i + step for i in test for step in (-1, 1) if i // 40 == (i + step) // 40
    }


@pytest.mark.parametrize(
    ("name", "video"),
    [("shelf12", "shelf"), ("f12", ""), ("ride f12", "ride"), ("x-frame7", "x"), ("1714557710.123456", "")],
)
def test_the_letter_for_frame_is_no_part_of_a_word(name, video):
    assert sequence(name) == video


@pytest.mark.parametrize("held_out", [0.5, 0.93, 0.97])
def test_a_large_share_puts_no_frame_on_both_sides(held_out):
    train, test = split_sequences([f"x_{i}" for i in range(40)], held_out)
    assert not {*train} & {*test} and len(test) == round(40 * held_out)


@pytest.mark.parametrize("held_out", [0, 1, 1.5, -0.2, float("nan")])
def test_a_share_that_is_none_is_named(held_out):
    with pytest.raises(CourseError, match=f"held_out={held_out} is not valid"):
        split_sequences(["a_1", "a_2", "b_1"], held_out)
