"""The application lessons on folders of the reader's own, in every format that they take, by papermill.

A notebook runs as it is but for the length of some trainings, which one cell after its settings shortens: what is tested is that
every cell takes the reader's data, not how well a net learns from a few drawings.
"""

import csv
import json

import nbformat
import numpy as np
import pytest
from PIL import Image

from course_utils import lessons, runner
from course_utils.synthetic.dashcam import CLASSES, Label, drive

SHORT = {  # lessons whose trainings count steps; where they count epochs, a small folder makes them short by itself
    "15": "steps, seeds = {'small': 10, 'unet': 20, 'lite0': 12}, seeds[:2]",
    "16": "steps = 20",
    "17": "views, draws, wide = 2, 20, 160",
    "18": "steps, drives = 20, 12",
}
COUNTED = {  # a line of the cell of the first training, and what then counts the reader's pictures
    "14": ("fit(model, lambda", "len(train) + len(val) + len(test)"),
    "15": ('trained = {"31-pixel', "len(train) + len(test)"),
    "17": ("def held_out(x, folds", "len(cells) + len(outside)"),
}


def drawing(random, kind, size=(96, 128)):
    """A noisy picture (H, W, 3) with one thing on it, brighter or darker by ``kind``, and the thing's mask."""
    picture = random.normal(110, 12, (*size, 3))
    y, x = random.integers(10, np.array(size) - 50)
    high, wide = random.integers(24, 40, 2)
    mask = np.zeros(size, bool)
    mask[y : y + high, x : x + wide] = True
    picture[mask] += (90, 20, -40) if kind else (-60, 30, 60)
    return picture.clip(0, 255).astype(np.uint8), mask


def class_folders(root):
    random = np.random.default_rng(0)
    for i in range(32):
        (root / ("dark", "light")[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(drawing(random, i % 2)[0]).save(root / ("dark", "light")[i % 2] / f"{i:02}.png")
    return 32


def boxes(root, form):
    random, n = np.random.default_rng(0), 30
    entries = []
    for i in range(n):
        picture, mask = drawing(random, i % 2)
        (root / "images").mkdir(exist_ok=True)
        Image.fromarray(picture).save(root / "images" / f"{i:02}.png")
        rows, columns = np.nonzero(mask)
        corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        entries.append((f"{i:02}", i % 2, [int(c) for c in corners]))
    write_boxes(root, form, entries, ("dark", "light"), (128, 96))
    return n


def write_boxes(root, form, entries, names, size):
    """``entries``: (stem of the picture, class, corners), as COCO, VOC or YOLO below ``root``."""
    if form == "coco":
        stems = list(dict.fromkeys(stem for stem, _, _ in entries))
        images = [{"id": i, "file_name": f"{stem}.png"} for i, stem in enumerate(stems)]
        rows = [
            {"id": i, "image_id": stems.index(stem), "category_id": k, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            for i, (stem, k, (x0, y0, x1, y1)) in enumerate(entries)
        ]
        kinds = [{"id": k, "name": name} for k, name in enumerate(names)]
        (root / "boxes.json").write_text(
            json.dumps({"images": images, "annotations": rows, "categories": kinds})
        )
        return
    (root / "labels").mkdir()
    if form == "yolo":
        (root / "classes.txt").write_text("\n".join(names))
    for stem, k, (x0, y0, x1, y1) in entries:
        if form == "voc":
            corners = "".join(
                f"<{n}>{v}</{n}>"
                for n, v in zip(("xmin", "ymin", "xmax", "ymax"), (x0, y0, x1, y1), strict=True)
            )
            text = f"<annotation><filename>{stem}.png</filename><object><name>{names[k]}</name><bndbox>{corners}</bndbox></object></annotation>"
            (root / "labels" / f"{stem}.xml").write_text(text)
        else:
            w, h = size
            text = f"{k} {(x0 + x1) / 2 / w} {(y0 + y1) / 2 / h} {(x1 - x0) / w} {(y1 - y0) / h}\n"
            (root / "labels" / f"{stem}.txt").write_text(text)


def masks(root, form):
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for i in range(10):
        picture, mask = drawing(random, 1, (192, 224))
        coded = {
            "indices": np.where(mask, 7, 2),
            "colours": np.where(mask[..., None], (128, 64, 128), (70, 130, 180)),
            "binary": np.where(mask, 255, 0),
        }[form]
        Image.fromarray(picture).save(root / "images" / f"{i}.png")
        Image.fromarray(coded.astype(np.uint8)).save(root / "masks" / f"{i}.png")
    lists = {"indices": "2 ground\n7 thing\n", "colours": "70 130 180 ground\n128 64 128 thing\n"}
    if form in lists:
        (root / "classes.txt").write_text(lists[form])
    return 10


def people(root):
    from course_utils.data import load

    faces = load("att_faces", source="embedded")
    for person in range(15):
        (root / f"person {person}").mkdir()
        for i, image in enumerate(faces.images[faces.targets == person][:7, 0].numpy()):
            Image.fromarray(image).save(root / f"person {person}" / f"{i}.png")
    return 15 * 7


def patients(root, form):
    random, rows = np.random.default_rng(0), [("patient", "label", "path", "split")]
    for i in range(96):
        picture, _ = drawing(random, i % 3 == 0)
        name = f"{i:02}.{form}"
        if form == "dcm":
            write_dicom(root / name, picture.mean(-1))
        else:
            Image.fromarray(picture).save(root / name)
        person, given = i // 3 % 16, form != "dcm"  # one form has a test part
        rows.append(
            (f"p{person}", ("sick", "healthy", "unclear")[i % 3], name, "test" * (given and person > 12))
        )
    with open(root / "patients.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return 96


def write_dicom(path, grey):
    import pydicom
    from pydicom.data import get_testdata_file

    file = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    file.Rows, file.Columns = grey.shape
    file.PixelData = grey.astype(np.int16).tobytes()
    file.WindowCenter, file.WindowWidth, file.RescaleIntercept, file.RescaleSlope = 110, 260, 0, 1
    file.save_as(path)


def streets(root, form):
    names = ("car", "pedestrian", "bicyclist")
    entries, n = [], 0
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for seed in range(6):
        for k, frame in enumerate(drive(seed, 5, (96, 128), fps=0.5)):
            stem, n = f"street{seed}_{k:03}", n + 1
            Image.fromarray(frame.image).save(root / "images" / f"{stem}.png")
            Image.fromarray(frame.labels).save(root / "masks" / f"{stem}.png")
            entries += [(stem, names.index(Label(t.label).name.lower()), t.box) for t in frame.things]
    (root / "classes.txt").write_text("".join(f"{k} {name}\n" for k, name in enumerate((*CLASSES, "ignore"))))
    if form != "masks":
        (root / "boxes").mkdir()
        write_boxes(root / "boxes", form, entries, names, (128, 96))
    return n


FOLDERS = {
    "13": {"class folders": class_folders},
    "14": {form: lambda root, form=form: boxes(root, form) for form in ("coco", "voc", "yolo")},
    "15": {form: lambda root, form=form: masks(root, form) for form in ("indices", "colours", "binary")},
    "16": {"people": people},
    "17": {form: lambda root, form=form: patients(root, form) for form in ("png", "jpg", "dcm")},
    "18": {form: lambda root, form=form: streets(root, form) for form in ("coco", "masks")},
}
# What follows the reading is the same for these forms as for another of their lesson's; the readers have tests of their own.
THOROUGH = {"voc", "yolo", "indices", "colours", "png", "jpg"}
CASES = [
    pytest.param(number, form, id=f"{number}-{form}", marks=[pytest.mark.thorough] * (form in THOROUGH))
    for number, forms in FOLDERS.items()
    for form in forms
]


@pytest.mark.parametrize(("number", "form"), CASES)
def test_a_lesson_takes_the_readers_folder(number, form, tmp_path, monkeypatch):
    lesson = next(lesson for lesson in map(lessons.Lesson, lessons.TITLES) if lesson.number == number)
    if not lesson.path.exists():
        pytest.skip(f"{lesson.name} is not written yet")
    nb = nbformat.read(lesson.path, 4)
    folder = tmp_path / "my pictures"
    folder.mkdir()
    n = FOLDERS[number][form](folder)
    if number in SHORT:
        insert_behind(nb, "runtime.start(", SHORT[number])
    if number in COUNTED:
        line, counted = COUNTED[number]
        insert_behind(nb, line, f"assert {counted} == {n}")
    monkeypatch.setattr(lessons, "NOTEBOOKS", tmp_path)
    nbformat.write(nb, lesson.path)
    for name, value in {
        "COURSE_DATA_SOURCE": "embedded",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    settings = {"DATA_DIR": str(folder), "PROFILE": "fast", "DEVICE": "cpu", "SEED": 0}
    outcome = runner.run(lesson, settings, tmp_path / "out", progress=False)
    assert outcome.problems == []
    assert outcome.run["data"]["my pictures"] == "own pictures"
    assert outcome.run["metrics"][nb.metadata["course"]["headline"]]["value"] >= 0


def insert_behind(nb, line, source):
    """A cell more, behind the code cell that holds ``line``."""
    place = next(i for i, cell in enumerate(nb.cells) if cell.cell_type == "code" and line in cell.source)
    nb.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
