"""Scenes to detect in: real handwritten digits on real photographs, in several sizes, overlapping, with exact boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

CLASSES = ("0", "1", "8")  # digits that stay what they are when a picture is mirrored
SHARES = (0.5, 0.25, 0.25)
SIDES = (0.1, 0.17, 0.28)  # heights of a digit, as fractions of the scene's width: small, medium, large
COUNTS = (4, 12)  # digits in a scene, both included
MAX_OVERLAP = 0.25  # largest share of a box that another one may cover
PHOTOGRAPHS = {
    "train": ("brick", "chelsea", "grass", "motorcycle_left", "motorcycle_right", "rocket"),
    "test": ("astronaut", "camera", "coffee", "gravel"),
}


class Scene(NamedTuple):
    """``image`` (H, W, 3) uint8; ``boxes`` (n, 4) float32 as x1, y1, x2, y2; ``labels`` (n,) int64."""

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


class Stock(NamedTuple):
    """What scenes are made of: 8×8 digits in [0, 1] by class, and photographs (H, W, 3) uint8."""

    digits: list[np.ndarray]
    photographs: list[np.ndarray]


def ingredients(split: str) -> Stock:
    """The digits and photographs of one side, ``"train"`` or ``"test"``; the two sides share neither.

    >>> [len(digits) for digits in ingredients("test").digits]
    [44, 46, 44]
    """
    from course_utils.data import card
    from course_utils.data.builders import digits, photographs
    from course_utils.data.fetch import package_folder

    entry = card("digits")
    handwritten = digits(package_folder(entry), entry, split)
    pixels = handwritten.images[:, 0].numpy() / np.float32(255)
    targets = handwritten.targets.numpy()
    entry = card("photographs")
    pictures = photographs(package_folder(entry), entry, "all")
    colour = [pictures[name] for name in PHOTOGRAPHS[split]]
    colour = [np.repeat(p[:, :, None], 3, axis=2) if p.ndim == 2 else p for p in colour]
    return Stock([pixels[targets == int(name)] for name in CLASSES], colour)


def digit_scene(stock: Stock, size: int = 640, seed=0) -> Scene:
    """Draw one scene, ``size`` pixels wide and three quarters as high; the same ``seed`` gives the same scene.

    A box holds all pixels that its digit's ink covers by more than an eighth, and touches the outermost of them, also
    where another digit lies over it. Where a digit is nearly as bright as its ground, its colour is moved by 110 of 255
    levels, up on a dark ground and down on a bright one; a few end up fainter than before.

    >>> scene = digit_scene(ingredients("test"), size=160, seed=3)
    >>> scene.image.shape, scene.boxes.shape == (len(scene.labels), 4)
    ((120, 160, 3), True)
    """
    random = np.random.default_rng(seed)
    height = size * 3 // 4
    image = _ground(stock, size, height, random)
    boxes, labels = [], []
    for _ in range(random.integers(COUNTS[0], COUNTS[1] + 1)):
        label = random.choice(len(CLASSES), p=SHARES)
        ink = _ink(stock.digits[label], size * random.choice(SIDES) * random.uniform(0.85, 1.15), random)
        place = _place(ink.shape, (height, size), boxes, random)
        if place is None:
            continue
        top, left = place
        _draw(image[top : top + ink.shape[0], left : left + ink.shape[1]], ink, random)
        boxes.append((left, top, left + ink.shape[1], top + ink.shape[0]))
        labels.append(label)
    return Scene(
        image.round().astype(np.uint8), np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)
    )


def _ground(stock: Stock, width: int, height: int, random) -> np.ndarray:
    """A piece of a photograph, mirrored at random, stretched to the scene, with its contrast lowered: (H, W, 3) float."""
    photograph = stock.photographs[random.integers(len(stock.photographs))]
    rows, columns = photograph.shape[:2]
    share = random.uniform(0.5, 1.0)
    h = int(share * min(rows, columns * 3 / 4))
    w = min(columns, h * 4 // 3)
    top, left = random.integers(rows - h + 1), random.integers(columns - w + 1)
    piece = photograph[top : top + h, left : left + w][:, :: random.choice((-1, 1))]
    piece = Image.fromarray(np.ascontiguousarray(piece)).resize((width, height), Image.Resampling.BILINEAR)
    ground = np.asarray(piece, np.float32)
    return ground.mean() + 0.6 * (ground - ground.mean())


def _ink(digits: np.ndarray, height: float, random) -> np.ndarray:
    """How much of each pixel a digit covers, (h, w) in [0, 1], cut to what it covers by more than an eighth."""
    digit = Image.fromarray(digits[random.integers(len(digits))])
    stretch = random.uniform(0.85, 1.15)
    size = (max(4, round(height * stretch)), max(4, round(height)))
    ink = np.asarray(digit.resize(size, Image.Resampling.BICUBIC), np.float32)
    ink = np.clip((ink - 0.25) / 0.5, 0, 1)  # a firm edge
    rows, columns = (np.flatnonzero((ink > 1 / 8).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(shape, room, boxes, random):
    """The upper left corner for a new digit that leaves every box, and itself, mostly visible; ``None`` after 30 tries."""
    for _ in range(30):
        top, left = (int(random.integers(r - s + 1)) for r, s in zip(room, shape, strict=True))
        new = (left, top, left + shape[1], top + shape[0])
        if all(_covered(new, box) <= MAX_OVERLAP for box in boxes):
            return top, left
    return None


def _covered(a, b) -> float:
    """The overlap of two boxes as a share of the smaller one."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(wide, 0) * max(high, 0) / smaller


def _draw(under: np.ndarray, ink: np.ndarray, random) -> None:
    """Paint over ``under`` (h, w, 3), in place, in a random colour, moved where it is nearly as bright as what lies there."""
    colour, below = random.uniform(0, 255, 3), under.mean(axis=(0, 1))
    if abs(colour.mean() - below.mean()) < 70:
        colour += 110 if below.mean() < 128 else -110
    under += ink[:, :, None] * (np.clip(colour, 0, 255) - under)
