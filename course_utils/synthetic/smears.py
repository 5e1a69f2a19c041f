"""Stained blood smears to diagnose and to count in: red cells, white cells of five kinds, platelets, with exact labels.

A smear is drawn as a microscope sees it: each cell absorbs light by how much of two dyes it took up, the absorbances add where
cells overlap, and the lamp shines through (Beer and Lambert's law). Every patient has a stain, a lamp and a focus of its own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

CLASSES = ("RBC", "WBC", "Platelets")
KINDS = ("neutrophil", "eosinophil", "lymphocyte", "monocyte", "basophil")
SHARES = (0.57, 0.25, 0.10, 0.07, 0.01)
AZURE = (0.42, 0.66, 0.21)  # absorbance of red, green and blue light, as log10, at full concentration: violet
EOSIN = (0.05, 0.30, 0.27)  # pink to orange
RED, PLATELET = 0.078, 0.030  # radii as fractions of the picture's width
WHITE = {"neutrophil": 0.140, "eosinophil": 0.143, "lymphocyte": 0.115, "monocyte": 0.155, "basophil": 0.130}
MAX_OVERLAP = 0.3  # of the smaller of two boxes


class Patient(NamedTuple):
    """What all smears of one person share: the light of the lamp (3,) in [0, 1], the absorbances of both dyes (3,), the radius
    of a red cell as a factor, the blur in thousandths of the width, and how often each kind of white cell occurs (5,).
    """

    lamp: np.ndarray
    azure: np.ndarray
    eosin: np.ndarray
    red: float
    blur: float
    shares: np.ndarray


class Smear(NamedTuple):
    """``image`` (H, W, 3) uint8; ``boxes`` (n, 4) float32 as x1, y1, x2, y2; ``labels`` (n,) into ``CLASSES``; ``kinds`` (n,) into
    ``KINDS``, -1 for what is no white cell.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray


def patient(seed: int) -> Patient:
    """One person and one laboratory; the same ``seed`` gives the same one.

    >>> patient(3).lamp.shape, patient(3).shares.shape
    ((3,), (5,))
    """
    random = np.random.default_rng([seed, 17])
    shift = random.normal(0, 0.06, (2, 3))
    return Patient(
        lamp=np.clip(random.normal((0.88, 0.86, 0.84), (0.04, 0.05, 0.07)), 0.6, 0.97),
        azure=np.array(AZURE) * random.uniform(0.7, 1.25) + shift[0],
        eosin=np.array(EOSIN) * random.uniform(0.65, 1.35) + shift[1] * 0.5,
        red=random.normal(1, 0.05),
        blur=random.uniform(1.0, 5.5),
        shares=random.dirichlet(2.5 * np.array(SHARES)),
    )


def smear(size: int = 640, seed=0, who: Patient | None = None) -> Smear:
    """Draw one field of view, ``size`` pixels wide and three quarters as high, of ``who`` (default: the patient of this seed).

    A box holds the outline of its cell, cut at the picture's edge; the middle of every cell is inside. Nearly every field
    shows one white cell, as a photographer's does. The same ``seed`` gives the same smear.

    >>> field = smear(size=160, seed=5)
    >>> field.image.shape, field.boxes.shape == (len(field.labels), 4), int((field.labels == 1).sum())
    ((120, 160, 3), True, 1)
    """
    random = np.random.default_rng(seed)
    who = patient(int(np.ravel(seed)[0])) if who is None else who
    shape = (size * 3 // 4, size)
    dyes = np.zeros((2, *shape), np.float32)
    boxes, labels, kinds = [], [], []

    def add(radius, label, kind=-1, middle=False):
        reach, radius = 0.25 if middle else 0.0, max(radius, 1.6)  # smaller ones would cover no pixel
        for _ in range(30):
            centre = random.uniform(reach, 1 - reach, 2) * shape
            box = _box(centre, radius, shape)
            if all(_covered(box, other) <= (0.1 if 1 in (label, was) else MAX_OVERLAP) for other, was in zip(boxes, labels, strict=True)):  # fmt: skip
                boxes.append(_draw(dyes, centre, radius, label, kind, random))
                labels.append(label)
                kinds.append(kind)
                return

    for _ in range(random.choice(3, p=(0.02, 0.94, 0.04))):
        kind = random.choice(len(KINDS), p=who.shares)
        add(WHITE[KINDS[kind]] * size * np.clip(random.normal(1, 0.13), 0.7, 1.3), 1, kind, middle=True)
    for _ in range(random.integers(6, 19)):
        add(RED * size * who.red * random.normal(1, 0.06), 0)
    for _ in range(random.poisson(1.1)):
        add(PLATELET * size * random.uniform(0.7, 1.3), 2)
    image = _photograph(dyes, who, random)
    return Smear(
        image,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(kinds, np.int64),
    )


def _photograph(dyes, who: Patient, random) -> np.ndarray:
    """Concentrations of the two dyes (2, H, W) → what a camera shows of them, (H, W, 3) uint8."""
    height, width = dyes.shape[1:]
    absorbed = np.einsum("dhw,dc->hwc", dyes, np.stack([who.azure, who.eosin]).astype(np.float32))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    lit = 1 - 0.12 * ((x - random.uniform(-0.5, 0.5)) ** 2 + (y - random.uniform(-0.5, 0.5)) ** 2)
    light = who.lamp.astype(np.float32) * lit[..., None] * np.exp(-np.float32(np.log(10)) * absorbed)
    light = cv2.GaussianBlur(light, (0, 0), max(0.3, who.blur * random.uniform(0.7, 1.4) * width / 1000))
    light += 0.012 * random.standard_normal(light.shape, np.float32)
    return np.clip(255 * light, 0, 255).round().astype(np.uint8)


def _draw(dyes, centre, radius, label, kind, random) -> tuple[float, float, float, float]:
    """Add one cell to the dyes, in place, and give its box."""
    half = int(radius * 1.35) + 2
    top, left = (int(c) - half for c in centre)
    y, x = np.mgrid[: 2 * half, : 2 * half].astype(np.float32)
    y, x = y + top - np.float32(centre[0]), x + left - np.float32(centre[1])
    edge = radius * _wobble(np.arctan2(y, x), random, 0.16 if label == 2 else 0.04)
    distance = np.hypot(x, y)
    inside = np.clip(edge - distance + 0.5, 0, 1)
    if label == 0:
        dye = _red_cell(distance / edge, inside, random)
    elif label == 1:
        dye = _white_cell(x / radius, y / radius, distance / edge, inside, KINDS[kind], random)
    else:
        grain = _grain(inside.shape, radius / 4, random)
        dye = np.stack([inside * np.clip(0.45 + 0.35 * grain, 0, 1), 0.2 * inside])
    rows, columns = (slice(max(0, s), s + 2 * half) for s in (top, left))
    part = dyes[:, rows, columns]
    first = max(0, -top), max(0, -left)
    part += dye[:, first[0] : first[0] + part.shape[1], first[1] : first[1] + part.shape[2]]
    seen = inside[first[0] : first[0] + part.shape[1], first[1] : first[1] + part.shape[2]] > 0.5
    down, across = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    y0, x0 = max(0, top), max(0, left)
    return x0 + across[0], y0 + down[0], x0 + across[-1] + 1, y0 + down[-1] + 1


def _red_cell(rho, inside, random) -> np.ndarray:
    """A disc that is thinner in the middle: (2, h, w)."""
    pallor = random.uniform(0.2, 0.7)
    thick = inside * (1 - pallor * np.exp(-((rho / random.uniform(0.4, 0.6)) ** 2)))
    return np.stack([0.06 * thick, random.uniform(0.75, 1.0) * thick])


def _white_cell(x, y, rho, inside, kind: str, random) -> np.ndarray:
    """Cytoplasm, granules and a nucleus in the form of its kind: (2, h, w). ``x``, ``y`` in radii from the middle."""
    shape, pixels = x.shape, x[0, 1] - x[0, 0]
    nucleus = np.clip(_nucleus(x, y, kind, random) / (1.5 * pixels) + 0.5, 0, 1) * inside
    grain = _grain(shape, max(1.0, 0.05 / pixels), random)
    azure, eosin = {  # of the cytoplasm
        "neutrophil": (0.10, 0.25),
        "eosinophil": (0.10, 0.26),
        "lymphocyte": (0.26, 0.10),
        "monocyte": (0.24, 0.13),
        "basophil": (0.14, 0.15),
    }[kind]
    change = random.uniform(0.5, 1.5, 2)
    dye = np.stack([inside * azure * change[0], inside * eosin * change[1]]) * (1 + 0.12 * grain)
    if kind != "lymphocyte":
        count, reach, of_azure, of_eosin = {
            "neutrophil": (130, 0.030, 0.08, 0.30),
            "eosinophil": (120, 0.040, 0.02, 0.50),
            "monocyte": (40, 0.020, 0.10, 0.05),
            "basophil": (60, 0.060, 0.85, 0.05),
        }[kind]
        granules = _granules(shape, int(count * random.uniform(0.5, 1.3)), reach / pixels, random)
        strength = random.uniform(0.1, 1.1)
        dye += inside * granules * strength * np.array([of_azure, of_eosin], np.float32).reshape(2, 1, 1)
    depth = random.uniform(0.8, 1.15) * (0.8 if kind == "monocyte" else 1.0)
    veil = 0.45 if kind == "basophil" else 1.0  # a basophil's granules hide its nucleus
    dye[0] += nucleus * veil * depth * (1 + 0.15 * grain) - nucleus * (1 - veil) * 0.1
    return np.clip(dye, 0, None).astype(np.float32)


def _nucleus(x, y, kind: str, random) -> np.ndarray:
    """How far inside the nucleus each point is, in radii of the cell; below zero outside."""
    turn = random.uniform(0, 2 * np.pi)
    u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    if kind == "lymphocyte":
        return random.uniform(0.58, 0.86) * _wobble(np.arctan2(v, u), random, 0.08) - np.hypot(u - 0.06, v)
    if kind == "monocyte":
        bay = np.hypot(u - random.uniform(0.5, 1.1), v) - random.uniform(0.25, 0.5)
        return np.minimum(
            random.uniform(0.6, 0.72) * _wobble(np.arctan2(v, u), random, 0.08) - np.hypot(u, v), bay
        )
    lobes = {  # usual numbers; some cells of one kind have those of another
        "neutrophil": random.choice((2, 3, 4, 5), p=(0.3, 0.4, 0.22, 0.08)),
        "eosinophil": random.choice((2, 3, 4), p=(0.55, 0.33, 0.12)),
        "basophil": 2,
    }[kind]
    angle = (np.arange(lobes) - (lobes - 1) / 2) * random.uniform(0.85, 1.35) + random.normal(0, 0.1, lobes)
    far = random.uniform(0.36, 0.5, lobes)
    places = np.stack([far * np.cos(angle), far * np.sin(angle)], 1)
    radii = random.uniform(0.21, 0.28, lobes) * (1.25 if lobes == 2 else 1.0)
    found = np.max(
        [
            r * _wobble(np.arctan2(v - b, u - a), random, 0.08) - np.hypot(u - a, v - b)
            for (a, b), r in zip(places, radii, strict=True)
        ],
        0,
    )
    for (a, b), (c, d) in pairwise(places):  # threads between the lobes
        along = np.clip(((u - a) * (c - a) + (v - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2), 0, 1)
        found = np.maximum(found, 0.07 - np.hypot(u - a - along * (c - a), v - b - along * (d - b)))
    return found


def _wobble(angle, random, strength: float) -> np.ndarray:
    """A factor around 1 that varies smoothly with the angle."""
    waves = ((k, strength * random.normal() / k, random.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    return 1 + sum(height * np.cos(k * angle + phase) for k, height, phase in waves)


def _grain(shape, scale: float, random) -> np.ndarray:
    """Smooth noise of deviation 1 whose spots are about ``scale`` pixels wide."""
    noise = cv2.GaussianBlur(random.standard_normal(shape, np.float32), (0, 0), max(0.5, scale))
    return noise / noise.std()


def _granules(shape, count: int, radius: float, random) -> np.ndarray:
    """Round spots at random places, (h, w) in [0, 1]."""
    seeds = np.zeros(shape, np.float32)
    seeds[tuple(random.integers(0, shape, (count, 2)).T)] = 1
    spots = cv2.GaussianBlur(seeds, (0, 0), max(0.4, radius))
    return np.clip(spots * 2 * np.pi * max(0.4, radius) ** 2, 0, 1)


def _box(centre, radius, shape):
    low, high = np.clip([centre - radius, centre + radius], 0, shape)
    return low[1], low[0], high[1], high[0]


def _covered(a, b) -> float:
    """The overlap of two boxes as a share of the smaller one."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(wide, 0) * max(high, 0) / max(smaller, 1e-9)
