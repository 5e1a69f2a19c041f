"""The reader's own pictures and masks: ``images/`` and ``masks/`` with files of the same names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from course_utils import data
from course_utils.data.folders import EXTENSIONS, composed, read_image
from course_utils.data.rows import chosen_rows
from course_utils.errors import DataError
from course_utils.segmentation.metrics import IGNORE

LAYOUT = (
    "Expected: images/ with pictures, masks/ with a PNG of the same name and size for each, and, unless masks hold 0 and 1 or "
    "0 and 255 only, classes.txt with a line for each class: a value, or red green blue, then its name ('ignore': do not score)."
)


class MaskFolder(torch.utils.data.Dataset):
    """Pictures of any sizes and their masks: ``self[i]`` is (C, H, W) uint8 and (H, W) uint8 class numbers, 255 to be ignored.

    ``images``, ``masks``: lists of these; C is 1 where all pictures are grey. ``names``: the files without their ending.
    """

    def __init__(self, images, masks, classes, names, name="folder"):
        self.images, self.masks, self.classes, self.names = (
            list(images),
            list(masks),
            tuple(classes),
            list(names),
        )
        self.name, self.split, self.source, self.card = name, "all", "own pictures", None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[index], self.masks[index]

    def counts(self) -> torch.Tensor:
        """How many pixels of each class each picture has: (N, number of classes) int64; ignored ones do not count."""
        return torch.tensor([[int((m == k).sum()) for k in range(len(self.classes))] for m in self.masks])

    def subset(self, indices) -> MaskFolder:
        """The pictures at ``indices`` (integers or a boolean mask of length N), as a dataset of the same kind."""
        chosen = chosen_rows(indices, len(self))
        columns = ([column[i] for i in chosen] for column in (self.images, self.masks))
        return MaskFolder(*columns, self.classes, [self.names[i] for i in chosen], self.name)


def mask_folder(path: str | Path, fit=None) -> MaskFolder:
    """Read ``path/images`` and ``path/masks``. Masks are grey or palette pictures of class numbers, or coloured.

    ``fit`` makes a picture (H, W, 3) and its mask smaller as soon as they are read, so that many large ones fit into memory.

    Values mean what ``classes.txt`` says; where it lists colours, a palette picture counts by its colours. Without one, masks
    that hold two values (0 and 1, or 0 and 255) are *background* and *object*.
    Raises :class:`DataError` that lists every file with what is wrong with it, all at once: unreadable, no mask, no picture,
    another size than its picture, an unknown value or colour, one name twice, a mask as :func:`read_mask` refuses it.
    """
    root = Path(path).expanduser()
    folders = [root / "images", root / "masks"]
    if not all(folder.is_dir() for folder in folders):
        there = sorted(f.name for f in root.iterdir())[:8] if root.is_dir() else []
        raise DataError(f"DATA_DIR {str(path)!r} holds {', '.join(there) or 'nothing'}. {LAYOUT}")
    wrong: list[str] = []
    pictures, labels = (_by_stem(folder, wrong) for folder in folders)
    declared = declared_classes(root / "classes.txt", wrong)
    wrong += [f"{_name(f)}: no mask of this name in masks/" for s, f in pictures.items() if s not in labels]
    wrong += [
        f"{_name(f)}: no picture of this name in images/" for s, f in labels.items() if s not in pictures
    ]
    coloured = any(len(value) == 3 for value in declared)
    images, masks = {}, {}
    for stem in (stem for stem in pictures if stem in labels):
        image = _read(pictures[stem], read_image, wrong)
        mask = _read(labels[stem], lambda file: read_mask(file, coloured), wrong)
        if image is None or mask is None:
            continue
        if mask.shape[:2] != image.shape[:2]:
            (h, w), (height, width) = mask.shape[:2], image.shape[:2]
            wrong.append(f"{_name(labels[stem])}: {w}×{h} pixels, its picture {width}×{height}")
            continue
        images[stem], masks[stem] = fit(image, mask) if fit else (image, mask)
    names = list(images)
    declared = declared or _two_values(masks, names)
    classes = list(dict.fromkeys(name for name in declared.values() if name != "ignore"))
    coded = {stem: _coded(masks[stem], declared, classes, labels[stem], wrong) for stem in names}
    if not names and not wrong:
        wrong.append("images/: no picture")
    if wrong:
        more = f"\n  and {len(wrong) - 40} more" if len(wrong) > 40 else ""
        raise DataError(
            f"{root}: {len(wrong)} thing{'s' if len(wrong) > 1 else ''} to put right before training:\n  "
            + "\n  ".join(wrong[:40])
            + f"{more}\n{LAYOUT}"
        )
    grey = all((image == image[:, :, :1]).all() for image in images.values())
    built = MaskFolder(
        [torch.from_numpy(images[s][:, :, : 1 if grey else 3]).permute(2, 0, 1).contiguous() for s in names],
        [torch.from_numpy(coded[s]) for s in names],
        classes,
        names,
        root.resolve().name,
    )
    data.remember(built.name, built.source)
    return built


def declared_classes(path: Path, wrong: list[str]) -> dict[tuple, str]:
    """Value or colour → name, from classes.txt."""
    found, text = {}, ""
    try:
        text = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except UnicodeDecodeError as error:
        wrong.append(f"classes.txt: byte {error.start} is not UTF-8; save it as UTF-8")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        digits = next((i for i, word in enumerate(words) if not word.isdecimal()), len(words))
        value, name = tuple(map(int, words[:digits])), " ".join(words[digits:])
        if not words:
            continue
        if len(value) not in (1, 3) or not name or max(value) > 255 or value in found:
            wrong.append(
                f"classes.txt:{number}: {line.strip()!r} is not a new value 0 to 255, or red green blue, and a name"
            )
        else:
            found[value] = name
    if len({len(value) for value in found}) > 1:
        wrong.append("classes.txt: it mixes values and colours; use one of them")
    classes = {name for name in found.values() if name != "ignore"}
    if len(classes) > IGNORE:
        wrong.append(
            f"classes.txt: {len(classes)} classes; at most {IGNORE}, since number {IGNORE} marks pixels to ignore"
        )
    return found


def _two_values(masks, names) -> dict[tuple, str]:
    """What two-valued masks mean: 0 is background, the other value (1 or 255) an object."""
    values = set()
    for stem in names:
        values |= set(np.unique(masks[stem]).tolist()) if masks[stem].ndim == 2 else set()
    other = 1 if values <= {0, 1} else 255
    return {(0,): "background", (other,): "object"}


def _coded(mask, declared, classes, file, wrong) -> np.ndarray:
    """Class numbers (H, W) uint8; what is not declared goes to ``wrong``, with its number of pixels."""
    coloured = len(next(iter(declared))) == 3
    if coloured and mask.ndim == 2:
        mask = np.repeat(mask[:, :, None], 3, axis=2)
    if mask.ndim == 3 and not coloured:
        wrong.append(
            f"{_name(file)}: coloured, but no colour is declared; write classes.txt with 'red green blue name'"
        )
        return np.zeros(mask.shape[:2], np.uint8)
    values = mask.reshape(-1, mask.shape[2] if coloured else 1)
    keys = values.astype(np.int64) @ ([65536, 256, 1] if coloured else [1])
    unique, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    codes = np.zeros(len(unique), np.int64)
    unknown = []
    for i, (key, n) in enumerate(zip(unique.tolist(), counts.tolist(), strict=True)):
        value = (key >> 16, key >> 8 & 255, key & 255) if coloured else (key,)
        if value in declared:
            codes[i] = IGNORE if declared[value] == "ignore" else classes.index(declared[value])
        else:
            unknown.append(f"{' '.join(map(str, value))} ({n} pixels)")
    if unknown:
        valid = ", ".join(f"{' '.join(map(str, value))} {name}" for value, name in declared.items())
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        kind = "colour" if coloured else "value"
        wrong.append(f"{_name(file)}: unknown {kind} {', '.join(unknown[:5])}{more}; known: {valid}")
    return codes[place.reshape(mask.shape[:2])].astype(np.uint8)


def _by_stem(folder: Path, wrong: list[str]) -> dict[str, Path]:
    found = {}
    for file in sorted(filter(_shown, folder.iterdir())):
        stem = composed(file.stem)
        if stem in found:
            wrong.append(f"{_name(file)}: {_name(found[stem])} has the same name; keep one of them")
        found.setdefault(stem, file)
    return found


def _read(file: Path, reader, wrong: list[str]):
    try:
        return reader(file)
    except DataError as error:
        wrong.append(f"{_name(file)}: {error}")


def read_mask(file: Path, coloured: bool = False) -> np.ndarray:
    """Values (H, W), or colours (H, W, 3), as they stand in the file, turned upright as its EXIF orientation says.

    A palette picture gives its indices, or its colours if ``coloured``. Raises :class:`DataError` for a file that cannot be
    read, and for one that does not keep class numbers: JPEG, GIF, fractions, a mask drawn in transparency.
    """
    spoils = {".jpg": "JPEG blurs", ".jpeg": "JPEG blurs", ".gif": "GIF renumbers"}.get(file.suffix.lower())
    if spoils:
        raise DataError(f"{spoils} the class numbers; save masks as PNG")
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode == "F":
                raise DataError("it holds fractions; save class numbers as PNG")
            if "A" in image.getbands() and np.ptp(image.getchannel("A").getextrema()):
                raise DataError("it is drawn in transparency; save class numbers or colours as PNG without")
            if image.mode in ("1", "L", "I", "I;16") or (image.mode == "P" and not coloured):
                return np.asarray(image).astype(np.int32)
            rgb = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"it cannot be read ({error})") from None
    grey = (rgb == rgb[:, :, :1]).all()
    return rgb[:, :, 0].astype(np.int32) if grey else rgb


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _shown(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in EXTENSIONS and not file.name.startswith(".")
