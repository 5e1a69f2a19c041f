"""Small clean folders in every format that `course inspect` reads, for tests to plant faults in."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (64, 48)


def picture(seed: int, size=SIZE, mode: str = "RGB") -> Image.Image:
    """A cloud of colours that looks like no other seed's."""
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    fine = np.asarray(rough.resize(size, Image.Resampling.BICUBIC), int) + rng.integers(
        -5, 5, (*size[::-1], 1)
    )
    return Image.fromarray(fine.clip(0, 255).astype(np.uint8)).convert(mode)


def save(path: Path, seed: int, size=SIZE, mode: str = "RGB", **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size, mode).save(path, **options)
    return path


def class_folders(root: Path, n: int = 10) -> None:
    for k, name in enumerate(("cat", "dog")):
        for i in range(n):
            save(root / name / f"{name}{i}.png", 100 * k + i)


def split_folders(root: Path, n: int = 6) -> None:
    for s, split in enumerate(("train", "test")):
        for k, name in enumerate(("cat", "dog")):
            for i in range(n):
                save(root / split / name / f"{split[0]}{name}{i}.png", 1000 * s + 100 * k + i)


def people(root: Path, n: int = 4) -> None:
    for k, name in enumerate(("ada", "bo", "cy")):
        for i in range(n):
            save(root / name / f"{i}.jpg", 100 * k + i, quality=95)


def table(root: Path, n: int = 12) -> None:
    """Twelve pictures of four patients, two patients to a split."""
    rows = []
    for i in range(2 * n):
        save(root / "images" / f"{i}.png", i)
        split = "train" if i % 4 < 2 else "test"
        rows.append([f"images/{i}.png", "sick" if i % 8 < 4 else "well", f"P{i % 4}", split])
    write_table(root, rows)


def write_table(root: Path, rows, header=("path", "label", "patient", "split")) -> None:
    with open(root / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows] if header else rows)


def read_table(root: Path) -> list[list[str]]:
    with open(root / "labels.csv", newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))[1:]


def boxes_of(i: int) -> list[tuple[str, int, int, int, int]]:
    """Two boxes for the picture i: name, x0, y0, x1, y1."""
    return [("car", 4 + i % 5, 6, 24 + i % 5, 30), ("person", 34, 10 + i % 7, 44, 40)]


def voc_text(i: int, boxes=None, size=SIZE) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>\n"
        for name, x0, y0, x1, y1 in (boxes_of(i) if boxes is None else boxes)
    )
    return (
        f"<annotation>\n<filename>{i}.jpg</filename>\n<size><width>{size[0]}</width><height>{size[1]}</height>"
        f"<depth>3</depth></size>\n{objects}</annotation>\n"
    )


def voc(root: Path, n: int = 8) -> None:
    (root / "Annotations").mkdir(parents=True)
    for i in range(n):
        save(root / "JPEGImages" / f"{i}.jpg", i, quality=95)
        (root / "Annotations" / f"{i}.xml").write_text(voc_text(i))
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    lists.joinpath("train.txt").write_text("".join(f"{i}\n" for i in range(n - 3)))
    lists.joinpath("test.txt").write_text("".join(f"{i}\n" for i in range(n - 3, n)))


def coco(root: Path, n: int = 8) -> None:
    images, annotations = [], []
    for i in range(n):
        save(root / "images" / f"{i}.jpg", i, quality=95)
        images.append({"id": i + 1, "file_name": f"images/{i}.jpg", "width": SIZE[0], "height": SIZE[1]})
        for name, x0, y0, x1, y1 in boxes_of(i):
            box = [x0, y0, x1 - x0, y1 - y0]
            category = 1 if name == "car" else 2
            annotations.append(
                {"id": len(annotations) + 1, "image_id": i + 1, "category_id": category, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
    categories = [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}]
    write_coco(root, {"images": images, "annotations": annotations, "categories": categories})


def read_coco(root: Path) -> dict:
    return json.loads((root / "annotations.json").read_text())


def write_coco(root: Path, document: dict) -> None:
    (root / "annotations.json").write_text(json.dumps(document, indent=0))


def yolo(root: Path, n: int = 8) -> None:
    for i in range(n):
        split = "train" if i < n - 3 else "val"
        save(root / "images" / split / f"{i}.jpg", i, quality=95)
        lines = [yolo_line(name == "person", *corners) for name, *corners in boxes_of(i)]
        text = root / "labels" / split / f"{i}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames:\n  0: car\n  1: person\n")


def yolo_line(label, x0, y0, x1, y1) -> str:
    w, h = SIZE
    return f"{int(label)} {(x0 + x1) / 2 / w:.6f} {(y0 + y1) / 2 / h:.6f} {(x1 - x0) / w:.6f} {(y1 - y0) / h:.6f}"


def masks(root: Path, n: int = 8) -> None:
    """Pictures with masks of the values 0, 1 and 2, named by classes.txt."""
    for i in range(n):
        save(root / "images" / f"{i}.png", i)
        write_mask(root / "masks" / f"{i}.png", mask_of(i))
    (root / "classes.txt").write_text("0 ground\n1 road\n2 tree\n255 ignore\n")


def mask_of(i: int) -> np.ndarray:
    values = np.zeros(SIZE[::-1], np.uint8)
    values[20 + i :] = 1
    values[5:15, 10 + i : 30] = 2
    return values


def write_mask(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def dicom(root: Path, n: int = 6) -> None:
    for k, name in enumerate(("healthy", "ill")):
        for i in range(n):
            write_dicom(root / name / f"{i}.dcm", 100 * k + i)


def write_dicom(path: Path, seed: int, **tags) -> None:
    """A grey slice of 64×48 pixels, 16 bits, of the patient P<seed>; a tag of None is left out."""
    import pydicom
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    values = np.asarray(picture(seed, mode="L")).astype(np.uint16) * 8
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(seed)])
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, header.file_meta.MediaStorageSOPInstanceUID
    fields = {
        "PatientID": f"P{seed}", "PatientName": "", "PatientBirthDate": "", "Modality": "CT", "Rows": values.shape[0],
        "Columns": values.shape[1], "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "RescaleSlope": 1, "RescaleIntercept": -1024,
    } | tags  # fmt: skip
    for name, value in fields.items():
        if value is not None:
            setattr(header, name, value)
    header.PixelData = values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
