"""A tile of smooth noise that repeats without a seam: asphalt, leaves, clouds and stains are looked up in it."""

from __future__ import annotations

from functools import cache

import numpy as np

SIDE = 512


@cache
def tile() -> np.ndarray:
    """Noise (512, 512) float32 whose power falls as 1/f², with mean 0 and standard deviation 1."""
    random = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    f[0, 0] = np.inf
    waves = np.fft.rfft2(random.standard_normal((SIDE, SIDE))) / np.maximum(f, 2 / SIDE)
    noise = np.fft.irfft2(waves, s=(SIDE, SIDE))
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


@cache
def grain() -> np.ndarray:
    """White noise (512, 512) float32, uniform in 0 to 1."""
    return np.random.default_rng(1).random((SIDE, SIDE), dtype=np.float32)


@cache
def normal() -> np.ndarray:
    """Four million draws (float32) from the normal distribution, for the sensor: drawing them anew costs more than a frame's fog."""
    return np.random.default_rng(3).standard_normal(1 << 22, np.float32)


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The smooth noise at (x, y), in tiles of one unit's width: nearest value, no interpolation."""
    return tile()[(y * SIDE).astype(np.int32) & (SIDE - 1), (x * SIDE).astype(np.int32) & (SIDE - 1)]


def soft(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The smooth noise at (x, y), interpolated between its four nearest values: for what is seen from close."""
    x, y, table = x * SIDE, y * SIDE, tile()
    left, top = np.floor(x), np.floor(y)
    a, b = (x - left).astype(np.float32), (y - top).astype(np.float32)
    i, j = top.astype(np.int32) & (SIDE - 1), left.astype(np.int32) & (SIDE - 1)
    k, m = (i + 1) & (SIDE - 1), (j + 1) & (SIDE - 1)
    upper = table[i, j] * (1 - a) + table[i, m] * a
    return upper * (1 - b) + (table[k, j] * (1 - a) + table[k, m] * a) * b


def draw(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A number in 0 to 1 for each pair of whole numbers: the same pair, the same number."""
    return grain()[y.astype(np.int32) & (SIDE - 1), x.astype(np.int32) & (SIDE - 1)]
