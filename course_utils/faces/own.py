"""The reader's own people: a folder with one sub-folder for each person, and single pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from course_utils.data.builders import DataSet
from course_utils.data.folders import image_folder, read_image

SHAPE = (112, 92)  # rows and columns of a face, as in the AT&T set


def own_faces(path: str | Path) -> tuple[DataSet, list[tuple[Path, str]]]:
    """The people below ``path``: ``images`` (N, 1, 112, 92) uint8, ``targets`` the person; and what was left out, with its reason.

    Each picture should show one upright face that fills it; it is made grey, cut to 92:112 around its middle and resized. Raises
    :class:`DataError` unless two people with readable pictures are found.
    """
    folder = image_folder(path)
    images = torch.from_numpy(np.stack([read_face(file) for file in folder.paths]))[:, None]
    data = DataSet(images, folder.targets, folder.classes, {"path": np.array(list(map(str, folder.paths)))})
    data.name, data.split, data.source = folder.name, folder.split, folder.source
    return data, folder.skipped


def read_face(path: str | Path) -> np.ndarray:
    """One picture as (112, 92) uint8. Raises :class:`DataError` if it is not there or cannot be decoded."""
    picture = Image.fromarray(read_image(path)).convert("L")
    width, height = picture.size
    w, h = min(width, height * SHAPE[1] / SHAPE[0]), min(height, width * SHAPE[0] / SHAPE[1])
    box = ((width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2)
    return np.array(picture.resize(SHAPE[::-1], Image.Resampling.BILINEAR, box=box))
