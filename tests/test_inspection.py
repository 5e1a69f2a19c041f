"""`course inspect` on the course's own data, on every format, on folders that are none, and its three reports."""

import base64
import importlib.util
import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import planted
import pytest
from PIL import Image
from test_cli import call
from test_inspection_faults import voc_box_outside, voc_broken_xml, voc_tiny_box

from course_utils.data import load
from course_utils.data.cards import card
from course_utils.data.fetch import package_folder
from course_utils.data.folders import image_folder
from course_utils.errors import DataError
from course_utils.inspection import TASKS, inspect_folder, page, report, similar
from course_utils.inspection.folder import scan, split_of
from course_utils.inspection.lessons import FEWEST, LEAST, PATIENTS
from course_utils.inspection.pictures import read
from course_utils.lessons import find
from course_utils.paths import ROOT


def look_at(root: Path, task: str):
    return inspect_folder(root, task, progress=False)


# --- the course's own data -------------------------------------------------------------------------------------------


def test_no_alarm_on_digits_in_class_folders(tmp_path):
    digits = load("digits", "test")
    for i, (image, target) in enumerate(digits):
        path = tmp_path / digits.classes[target] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path)
    assert look_at(tmp_path, "classification").findings == []


@pytest.mark.parametrize("form", ["class folders", "table"])
def test_no_alarm_on_solar_cells(tmp_path, form):
    """Every eighth cell. Cells of one wafer look the same; their card says so, and a note does."""
    entry = card("elpv")
    folder = package_folder(entry)
    rows = (folder / "labels.csv").read_text().splitlines()[::8]
    for row in rows:
        file, probability, _ = row.split()
        where = "images" if form == "table" else entry.classes[float(probability) >= 0.5]
        (tmp_path / where).mkdir(exist_ok=True)
        shutil.copy(folder / file, tmp_path / where)
    if form == "table":
        (tmp_path / "labels.csv").write_text("\n".join(rows))
    found = look_at(tmp_path, "classification")
    assert found.summary["pictures"] == len(rows) and len(found.summary["classes"]) == (
        4 if form == "table" else 2
    )
    assert {finding.level for finding in found.findings} <= {"note"}


# --- formats ---------------------------------------------------------------------------------------------------------


def test_splits_groups_and_counts_are_read(tmp_path):
    planted.table(tmp_path)
    facts = look_at(tmp_path, "medical").summary
    assert facts["splits"] == {"train": 12, "test": 12} and facts["groups"] == {"patient": 4}
    assert facts["classes"] == {"sick": 12, "well": 12} and facts["median"] == [64, 48]
    assert facts["modes"] == {"RGB": 24} and facts["files"] == {"PNG": 24}


@pytest.mark.parametrize("delimiter", [";", "\t", " "])
def test_tables_with_other_delimiters_and_without_a_header(tmp_path, delimiter):
    planted.table(tmp_path)
    rows = planted.read_table(tmp_path)
    (tmp_path / "labels.csv").write_text("\n".join(delimiter.join(row[:2]) for row in rows))
    found = look_at(tmp_path, "classification")
    assert found.findings == [] and found.summary["classes"] == {"sick": 12, "well": 12}


def test_a_table_may_name_pictures_without_folder_and_ending(tmp_path):
    planted.table(tmp_path)
    rows = [[Path(path).stem, label] for path, label, *_ in planted.read_table(tmp_path)]
    planted.write_table(tmp_path, rows, ("image_id", "dx"))
    assert look_at(tmp_path, "medical").summary["classes"] == {"sick": 12, "well": 12}


def test_coco_files_for_each_split(tmp_path):
    planted.coco(tmp_path)
    document = planted.read_coco(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations.json").unlink()
    for split, keep in (("train", range(1, 6)), ("val", range(6, 9))):
        part = document | {
            "images": [image for image in document["images"] if image["id"] in keep],
            "annotations": [entry for entry in document["annotations"] if entry["image_id"] in keep],
        }
        (tmp_path / "annotations" / f"instances_{split}2020.json").write_text(json.dumps(part))
    found = look_at(tmp_path, "detection")
    assert found.summary["splits"] == {"train": 5, "val": 3} and found.findings == []


def test_boxes_come_out_the_same_from_all_three_formats(tmp_path):
    seen = []
    for name in ("voc", "coco", "yolo"):
        getattr(planted, name)(tmp_path / name)
        items = look_at(tmp_path / name, "detection").layout.items
        seen.append(
            {Path(i.file).stem: [(b.label, *(round(v) for v in b[1:5])) for b in i.boxes] for i in items}
        )
    assert seen[0] == seen[1] == seen[2] == {str(i): planted.boxes_of(i) for i in range(8)}


@pytest.mark.parametrize(
    "names",
    [("train/image/{}.png", "train/label/{}.png"), ("train/{}.png", "trainannot/{}.png"), ("{}.png", "{}_mask.png"),
     ("images/train/{}.jpg", "masks/train/{}.png")],
)  # fmt: skip
def test_masks_are_found_wherever_they_lie(tmp_path, names):
    for i in range(6):
        planted.save(tmp_path / names[0].format(i), i, quality=95)
        planted.write_mask(tmp_path / names[1].format(i), (planted.mask_of(i) > 0) * np.uint8(255))
    found = look_at(tmp_path, "segmentation")
    assert found.findings == [] and found.summary["masks"] == 6


def test_coloured_masks_with_a_list(tmp_path):
    planted.masks(tmp_path)
    palette = np.array([[128, 64, 128], [0, 0, 142], [107, 142, 35]], np.uint8)
    (tmp_path / "classes.txt").write_text("128 64 128 road\n0 0 142 car\n107 142 35 tree\n")
    for i in range(8):
        planted.write_mask(tmp_path / "masks" / f"{i}.png", palette[planted.mask_of(i)])
    assert look_at(tmp_path, "segmentation").findings == []


def test_dicom_files_beside_a_table(tmp_path):
    planted.dicom(tmp_path)
    rows = [
        [path.relative_to(tmp_path).as_posix(), path.parent.name] for path in sorted(tmp_path.rglob("*.dcm"))
    ]
    planted.write_table(tmp_path, rows, ("path", "diagnosis"))
    facts = look_at(tmp_path, "medical").summary
    assert facts["files"] == {"DICOM": 12} and facts["groups"] == {"patient": 12}


def test_faces_that_look_alike_are_no_duplicates(tmp_path):
    """A folder in which all pictures share most of their content: only the real copy is named."""
    common = np.asarray(planted.picture(0, (96, 96)), float)
    for i in range(40):
        own = np.asarray(planted.picture(i + 1, (96, 96)), float)
        image = Image.fromarray((0.93 * common + 0.07 * own).astype(np.uint8))
        image.save(tmp_path / f"{'ab'[i % 2]}{i}.png")
        if i == 7:
            image.resize((80, 80)).save(tmp_path / "copy.jpg", quality=90)
    pictures = [read(tmp_path, path.name) for path in sorted(tmp_path.iterdir())]
    assert similar.near(pictures) == [["b7.png", "copy.jpg"]]


# --- folders that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("make", "words"),
    [("nothing", "is not there"), ("file", "is a file, not a folder"), ("empty", "is empty"), ("text", "no format of the task")],
)  # fmt: skip
def test_a_folder_without_data_is_named(tmp_path, task, make, words):
    path = tmp_path / "data"
    if make == "file":
        path.write_text("x")
    elif make != "nothing":
        path.mkdir()
    if make == "text":
        (path / "readme.md").write_text("x")
    with pytest.raises(DataError, match=words) as error:
        look_at(path, task)
    assert repr(str(path)) in str(error.value) or "Wanted is one of" in str(error.value)


def test_another_task_is_proposed(tmp_path):
    planted.voc(tmp_path)
    with pytest.raises(DataError, match=r"It looks like Pascal VOC \(--task detection\)"):
        look_at(tmp_path, "segmentation")


def test_an_unknown_task_is_named(tmp_path):
    with pytest.raises(DataError, match=r"unknown task 'detect'\. Valid: classification, detection"):
        look_at(tmp_path, "detect")


def test_nothing_outside_is_read_and_hidden_files_are_left_out(tmp_path):
    planted.class_folders(tmp_path / "data")
    outside = tmp_path / "outside"
    planted.save(outside / "x.png", 1)
    (tmp_path / "data" / "cat" / "more").symlink_to(outside)
    (tmp_path / "data" / "cat" / ".hidden.png").write_bytes(b"")
    (tmp_path / "data" / "__MACOSX").mkdir()
    found = look_at(tmp_path / "data", "classification")
    assert [finding.code for finding in found.findings] == ["link"] and not any(
        "x.png" in file for file in found.pictures
    )


def test_the_inspection_changes_nothing(tmp_path):
    planted.table(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")}
    look_at(tmp_path, "medical")
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")}


# --- the command and its reports -------------------------------------------------------------------------------------


def test_the_command_reports_in_three_forms(tmp_path, monkeypatch, capsys):
    planted.voc(tmp_path / "data")
    voc_box_outside(tmp_path / "data")
    voc_tiny_box(tmp_path / "data")
    html, file = tmp_path / "r.html", tmp_path / "r.json"
    voc_broken_xml(tmp_path / "data")
    code = call(
        monkeypatch, "inspect", tmp_path / "data", "--task", "detection", "--html", html, "--json", file
    )
    assert code == 1
    printed = capsys.readouterr().out
    assert "8 pictures" not in printed and "7 pictures, 14 boxes" in printed
    assert printed.index("BREAKS TRAINING") < printed.index("LOOK AT THESE") and "Not ready: " in printed
    assert all(len(line) <= 240 for line in printed.splitlines())
    document = json.loads(file.read_text())
    assert document["ok"] is False and document["task"] == "detection"
    (box,) = [f for f in document["findings"] if f["code"] == "box-outside"]
    assert box["places"][0]["file"] == "Annotations/1.xml" and box["places"][0]["line"] == 4
    page_text = html.read_text()
    images = re.findall(r"src='data:image/jpeg;base64,([^']+)'", page_text)
    assert len(images) == page_text.count("<img") >= 8
    assert "http" not in page_text and "<script" not in page_text
    sizes = {Image.open(io.BytesIO(base64.b64decode(data))).size for data in images}
    assert sizes == {(320, 240)}


def test_a_ready_folder_is_exit_code_0(tmp_path, monkeypatch, capsys):
    planted.people(tmp_path)
    assert call(monkeypatch, "inspect", tmp_path, "--task", "faces") == 0
    assert "Ready: nothing was found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no/such/folder", "--task", "faces"], "'no/such/folder' is not there"),
        ([".", "--task", "face"], "unknown task 'face'"),
        (["."], "--task"),
        ([".", "--task", "faces", "--html", "no/such/folder/r.html"], "cannot be written"),
    ],
)
def test_bad_usage_is_exit_code_2(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "inspect", *arguments) == 2
    assert words in capsys.readouterr().err


def test_names_from_the_folder_cannot_act(tmp_path):
    """A file's name is text: it moves no cursor in a terminal and runs no script in a browser."""
    planted.class_folders(tmp_path)
    (tmp_path / "cat" / "<script>alert(1)<\x1b[2J.jpg").write_text("no picture")
    found = look_at(tmp_path, "classification")
    assert "\x1b" not in "\n".join(report.lines(found))
    assert "<script" not in page.html(found) and "&lt;script&gt;" in page.html(found)


def test_boxes_and_masks_are_drawn_where_they_are(tmp_path):
    planted.voc(tmp_path / "voc")
    found = look_at(tmp_path / "voc", "detection")
    item = next(item for item in found.layout.items if item.file.endswith("/0.jpg"))
    image = np.asarray(page.drawn(found, item, {"car": "#ff0000", "person": "#00ff00"}), int)
    red = (np.abs(image - [255, 0, 0]).sum(2) < 30).nonzero()
    scale = 320 / 64
    assert abs(red[1].min() - 4 * scale) <= 2 and abs(red[1].max() - 24 * scale) <= 2
    planted.masks(tmp_path / "masks")
    found = look_at(tmp_path / "masks", "segmentation")
    item = found.layout.items[0]
    image = np.asarray(page.drawn(found, item, {}), int)
    bare = np.asarray(page.drawn(found, item.__class__(item.file), {}), int)
    assert (np.abs(image - bare).sum(2) > 10).mean() > 0.5


def test_the_samples_show_every_class(tmp_path):
    planted.class_folders(tmp_path, n=30)
    planted.save(tmp_path / "emu" / "0.png", 999)
    chosen = page.samples(look_at(tmp_path, "classification"))
    assert len(chosen) == page.SAMPLES and {item.label for item in chosen} == {"cat", "dog", "emu"}


def test_the_list_of_a_folder_is_sorted(tmp_path):
    planted.class_folders(tmp_path, n=3)
    folder = scan(tmp_path)
    assert folder.files == sorted(folder.files) == folder.pictures
    assert folder.find("cat/cat1.png") == ("cat/cat1.png", "") and folder.find("cat1") == ("cat/cat1.png", "")
    assert folder.find(str(tmp_path / "cat" / "cat1.png"))[0] == "cat/cat1.png"
    assert folder.find("/etc/passwd")[0] is None and folder.find("../x/cat9.png")[0] is None
    assert folder.find("cat\\cat1.png")[0] == "cat/cat1.png" and folder.find("a\0b")[0] is None


def test_pictures_of_one_name_in_two_folders_are_told_apart(tmp_path):
    for split in ("train", "val"):
        planted.voc(tmp_path / split)
        shutil.rmtree(tmp_path / split / "ImageSets")
        for i in range(8):
            planted.save(tmp_path / split / "JPEGImages" / f"{i}.jpg", i + 50 * (split == "val"), quality=95)
    found = look_at(tmp_path, "detection")
    assert found.findings == [] and found.summary["splits"] == {"train": 8, "val": 8}
    folder = scan(tmp_path)
    assert folder.find("3.jpg", "val/Annotations")[0] == "val/JPEGImages/3.jpg"
    assert folder.find("3.jpg") == (
        None,
        "2 pictures have this name: train/JPEGImages/3.jpg, val/JPEGImages/3.jpg",
    )
    assert folder.find("test/3.jpg")[1] == "there is no such picture"


def test_broken_exif_data_do_not_condemn_a_picture(tmp_path):
    planted.people(tmp_path)
    planted.picture(0).save(tmp_path / "ada" / "0.jpg", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert [f.code for f in look_at(tmp_path, "faces").findings] == ["groups-identity"]


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("val/test_track/3.png", "val"),
        ("crash test/images/train", "train"),
        ("train/val", "val"),
        ("cats", ""),
    ],
)
def test_the_innermost_folder_that_is_called_so_tells_the_split(text, split):
    assert split_of(text) == split


def test_what_is_drawn_in_transparency_is_seen(tmp_path):
    for i in range(2):
        alpha = np.asarray(planted.picture(i, mode="L"))
        Image.fromarray(np.dstack([np.zeros((*alpha.shape, 3), np.uint8), alpha])).save(tmp_path / f"{i}.png")
    looks = [read(tmp_path, f"{i}.png").look.astype(float) for i in range(2)]
    assert min(look.std() for look in looks) > 10 and np.abs(looks[0] - looks[1]).mean() > 10


def test_a_name_that_is_not_utf_8_stands_in_the_page(tmp_path):
    planted.class_folders(tmp_path / "data")
    (tmp_path / "data" / "cat" / os.fsdecode(b"\xff.jpg")).touch()
    page.write(look_at(tmp_path / "data", "classification"), tmp_path / "r.html")
    assert "udcff.jpg" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_table_of_people_needs_no_other_label(tmp_path):
    planted.table(tmp_path)
    rows = [[path, who] for path, _, who, _ in planted.read_table(tmp_path)]
    planted.write_table(tmp_path, rows, ("path", "identity"))
    facts = look_at(tmp_path, "faces").summary
    assert facts["classes"] == {f"P{i}": 6 for i in range(4)} and facts["groups"] == {"identity": 4}


def test_dicom_files_without_an_ending_are_found(tmp_path):
    planted.dicom(tmp_path)
    for path in sorted(tmp_path.rglob("*.dcm")):
        path.rename(path.with_suffix(""))
    (tmp_path / "ill" / "README").write_text("x")
    found = look_at(tmp_path, "medical")
    (finding,) = found.findings
    assert found.summary["files"] == {"DICOM": 12} and [str(p) for p in finding.places] == ["ill/README"]


def test_coco_files_that_number_their_classes_differently(tmp_path):
    planted.coco(tmp_path)
    document = planted.read_coco(tmp_path) | {"images": [], "annotations": []}
    document["categories"] = [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    (tmp_path / "val.json").write_text(json.dumps(document))
    places = look_at(tmp_path, "detection").found("class-list").places
    assert str(places[0]) == "val.json: number 1 is 'person' here, 'car' in another file"


def test_numbers_as_labels_are_taken_as_they_are(tmp_path):
    planted.table(tmp_path)
    names = ["1", "-1", "1.0", "10"]
    rows = [[path, names[i % 4]] for i, (path, *_) in enumerate(planted.read_table(tmp_path))]
    planted.write_table(tmp_path, rows, ("path", "label"))
    assert look_at(tmp_path, "classification").findings == []


def test_a_file_that_may_not_be_read_is_a_finding(tmp_path, monkeypatch):
    planted.class_folders(tmp_path)
    whole = Path.read_bytes

    def refuse(path):
        if path.name == "cat3.png":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = look_at(tmp_path, "classification")
    assert str(found.found("unreadable").places[0]) == "cat/cat3.png: it cannot be opened (Permission denied)"


def test_the_benchmark_runs_and_finds_the_copies(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location("benchmark", ROOT / "benchmarks" / "inspection.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path / "times.json"
    assert module.main(["--pictures", "100", "--size", "64x48", "--json", str(out)]) in (0, 1)
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["pictures"] == 100 and result["near_duplicates_found"] == 2
    assert "pictures/s" in capsys.readouterr().out


# --- what the lesson would refuse ----------------------------------------------------------------------------------------


def _wrapped_classes(root):
    for i in range(20):
        planted.save(root / "unzipped" / "data" / f"class {i % 2}" / f"{i}.png", i)


def _few_pictures(root):
    for i in range(10):
        planted.save(root / f"class {i % 2}" / f"{i}.png", i)


def _few_people(root):
    for i in range(60):
        planted.save(root / f"person {i % 10}" / f"{i}.png", i)


def _masks_beside(root):
    for i in range(6):
        planted.save(root / f"{i}.png", i)
        planted.write_mask(root / f"{i}_mask.png", (planted.mask_of(i) > 0) * np.uint8(255))


def _few_boxes(root):
    (root / "classes.txt").write_text("cell\n")
    for i in range(6):
        planted.save(root / f"{i}.png", i)
        (root / f"{i}.txt").write_text("0 .5 .5 .2 .2\n")


def _split_classes(root):
    for i in range(40):
        planted.save(root / ("test", "train")[i % 2] / f"class {i // 2 % 2}" / f"{i}.png", i)


def _nobody(root):
    planted.table(root)
    rows = [[path, label] for path, label, *_ in planted.read_table(root)]
    planted.write_table(root, rows, ("path", "label"))


@pytest.mark.parametrize(
    ("make", "task", "words"),
    [
        (
            planted.table,
            "classification",
            "lesson 13 would refuse it: it reads folders, and this is CSV table",
        ),
        (_wrapped_classes, "classification", "the folders of the classes lie in unzipped/data/"),
        (_few_pictures, "classification", "the smallest of 5 pictures"),
        (_few_people, "faces", "10 persons, the smallest of 6 pictures"),
        (_few_boxes, "detection", "lesson 14 would refuse it: 6 pictures make 4 train, 1 val, 1 test"),
        (_split_classes, "classification", "its classes lie in split folders; name the one to train on"),
        (_masks_beside, "segmentation", "pictures and masks lie in it"),
        (_nobody, "medical", "the table names no patient"),
        (planted.table, "medical", "lesson 17 would refuse it: "),
    ],
)
def test_what_the_lesson_would_refuse_is_told(tmp_path, make, task, words):
    make(tmp_path)
    found = look_at(tmp_path, task)
    assert found.ok and any(words in finding.title for finding in found.lesson)
    assert words.lower() in " ".join(" ".join(report.lines(found)).split()).lower()
    assert "would refuse it all the same" in report.verdict(found)


def test_nothing_is_told_of_what_the_lesson_takes(tmp_path):
    for i in range(20):
        planted.save(tmp_path / f"class {i % 2}" / f"{i}.png", i)
    assert look_at(tmp_path, "classification").lesson == []


def test_deep_pictures_of_different_ranges_break_training(tmp_path):
    for i, top in enumerate([3999, 4000, 4095, 4096] * 4):
        values = np.linspace(0, top, 64 * 48).reshape(48, 64).astype(np.uint16)
        (tmp_path / f"class {i % 2}").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"class {i % 2}" / f"{i}.png")
    found = look_at(tmp_path, "classification").found("mixed-ranges")
    assert found.level == "error" and len(found.places) == 4
    assert "up to 4095 in 12, up to 65535 in 4" in found.title
    with pytest.raises(DataError, match="up to 4095 in 12, up to 65535 in 4"):
        image_folder(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_told(tmp_path):
    for i in range(20):
        planted.save(tmp_path / "data" / f"class {i % 2}" / f"{i}.png", i)
    (tmp_path / "data" / "class 2").symlink_to(tmp_path / "data" / "class 0", target_is_directory=True)
    assert look_at(tmp_path / "data", "classification").found("link").files == ("class 2",)
    (tmp_path / "data" / "class 2").unlink()
    (tmp_path / "data" / "class 0" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [(path.name, reason) for path, reason in image_folder(tmp_path / "data").skipped] == [
        ("gone.png", "it is not there")
    ]


def test_the_least_numbers_are_those_of_the_lessons():
    code = {
        n: "".join(
            "".join(cell["source"]) for cell in json.loads(find(n).path.read_text(encoding="utf-8"))["cells"]
        )
        for n in (*LEAST, *FEWEST, "17")
    }
    people, classes, pictures, _ = PATIENTS
    assert f"fewest = {pictures} if DATA_DIR" in code["17"]
    assert f"(len(kind_names) < {classes} or len(set(patients)) < {people}):" in code["17"]
    assert f"len(data) < {FEWEST['15']}:" in code["15"] and f"len(own) < {FEWEST['18']}:" in code["18"]
    assert f"np.bincount(data.targets).min()) < {LEAST['13'][1]}:" in code["13"]
    assert (
        f"len(np.unique(person)) < {LEAST['16'][0]} or np.bincount(person).min() < {LEAST['16'][1]}:"
        in code["16"]
    )


@pytest.mark.parametrize(
    ("box", "outside"),
    [
        ((-1, -1, 20, 20), False),
        ((5, 5, 65, 49), False),
        ((-1.5, 5, 20, 20), True),
        ((5, -1.5, 20, 20), True),
        ((5, 5, 65.5, 20), True),
        ((5, 5, 20, 49.5), True),
    ],
)
def test_a_box_may_leave_by_a_pixel_and_on_no_side_by_more(tmp_path, box, outside):
    planted.coco(tmp_path)
    document = planted.read_coco(tmp_path)
    x0, y0, x1, y1 = box
    document["annotations"][0]["bbox"] = [x0, y0, x1 - x0, y1 - y0]
    planted.write_coco(tmp_path, document)
    assert bool(look_at(tmp_path, "detection").found("box-outside")) == outside


def test_rows_without_a_split_beside_others_are_told(tmp_path):
    planted.table(tmp_path)
    rows = planted.read_table(tmp_path)
    rows[4][3] = ""
    planted.write_table(tmp_path, rows)
    assert look_at(tmp_path, "medical").found("no-split").files == ("images/4.png",)


@pytest.mark.parametrize(("n", "told"), [(4, True), (5, False)])
def test_a_split_of_less_than_five_is_told(tmp_path, n, told):
    rows = []
    for i in range(50):
        planted.save(tmp_path / "images" / f"{i}.png", i)
        rows.append([f"images/{i}.png", "ab"[i % 2], f"P{i}", "test" if i < n else "train"])
    planted.write_table(tmp_path, rows)
    assert bool(look_at(tmp_path, "medical").found("small-split")) == told


@pytest.mark.parametrize(
    ("size", "code", "told"),
    [
        ((17, 12), "tiny", False),
        ((15, 12), "tiny", True),
        ((30, 400), "long", True),
        ((240, 48), "long", False),
    ],
)
def test_limits_of_size_and_shape(tmp_path, size, code, told):
    planted.class_folders(tmp_path)
    planted.save(tmp_path / "cat" / "odd.png", 77, size)
    assert bool(look_at(tmp_path, "classification").found(code)) == told


def test_a_class_that_no_mask_of_train_has_is_told(tmp_path):
    for i in range(8):
        split, mask = ("train", "test")[i % 2], planted.mask_of(i)
        planted.save(tmp_path / split / "images" / f"{i}.png", i)
        known = np.where(mask == 2, 0, mask) if split == "train" else mask
        planted.write_mask(tmp_path / split / "masks" / f"{i}.png", known)
    (tmp_path / "classes.txt").write_text("0 ground\n1 road\n2 tree\n255 ignore\n")
    finding = look_at(tmp_path, "segmentation").found("class-missing")
    assert finding.level == "error" and "2" in finding.title
