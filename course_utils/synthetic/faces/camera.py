"""From light on a face to the numbers of a picture: exposure, focus, noise."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d


def exposed(scene: np.ndarray, c: dict[str, np.ndarray], keys, seed: int) -> np.ndarray:
    """Turn tones (N, H, W) float32 into uint8 pictures. A dark skin under a short exposure keeps few grey levels."""
    light = scene * np.exp(c["exposure"])[:, None, None]
    light = np.stack(
        [_blurred(plane, s * scene.shape[1] / 112) for plane, s in zip(light, c["blur"], strict=True)]
    )
    for plane, key, noise in zip(light, keys, c["noise"], strict=True):
        random = np.random.default_rng((seed, 3, *key))
        plane += noise * random.standard_normal(plane.shape, np.float32)
    np.clip(light, 0, None, out=light)
    light = light / (1 + 0.25 * light * light)  # the shoulder of the film: bright tones are squeezed, not cut
    return np.clip(np.rint(light * 280), 0, 255).astype(np.uint8)


def _blurred(plane: np.ndarray, sigma: float) -> np.ndarray:
    if sigma < 0.2:
        return plane
    return gaussian_filter1d(gaussian_filter1d(plane, sigma, 0, truncate=3), sigma, 1, truncate=3)
