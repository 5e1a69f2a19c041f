"""Who is in the picture: the numbers that make a drawn person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

TONES = ("light", "medium", "dark")  # of the skin; the shares are unequal, as they are in most collections
SHARES = (0.70, 0.20, 0.10)
SKIN = ((0.68, 0.84), (0.48, 0.60), (0.29, 0.40))

# Lengths in half heights of a head, seen from the front; tones from 0 (black) to 1 (white); angles in radians.
RANGES = {
    "head_width": (0.68, 0.84),
    "head_height": (0.94, 1.06),
    "jaw": (0.04, 0.34),  # how much narrower the chin is than the temples
    "square": (0.0, 0.6),  # 0: an ellipse, 1: a rounded box
    "ear": (0.10, 0.19),
    "eye_gap": (0.27, 0.39),  # from the middle of the face to the middle of an eye
    "eye_y": (-0.17, -0.01),
    "eye_width": (0.115, 0.175),
    "eye_height": (0.045, 0.085),
    "eye_tilt": (-0.12, 0.2),
    "iris": (0.05, 0.38),  # its tone
    "bags": (0.0, 0.22),
    "brow_y": (0.14, 0.25),  # above the eye
    "brow_thick": (0.018, 0.055),
    "brow_length": (0.13, 0.21),
    "brow_tilt": (-0.14, 0.28),
    "brow_arch": (0.0, 0.10),
    "nose_length": (0.30, 0.45),
    "nose_width": (0.085, 0.17),
    "nose_depth": (0.35, 1.0),
    "mouth_y": (0.17, 0.28),  # below the tip of the nose
    "mouth_width": (0.17, 0.29),
    "lip_upper": (0.018, 0.05),
    "lip_lower": (0.028, 0.075),
    "lip_tone": (0.58, 0.86),  # as a share of the skin's
    "folds": (0.0, 0.3),  # from the nose to the corners of the mouth
    "cheeks": (-0.06, 0.10),
    "mole_x": (-0.5, 0.5),
    "mole_y": (0.1, 0.6),
    "hair": (0.04, 0.62),  # its tone
    "hair_line": (-0.78, -0.45),
    "hair_volume": (0.05, 0.26),
    "hair_part": (-0.5, 0.5),
    "hair_round": (0.25, 0.9),  # how far the hair line comes down at the temples
    "frame_width": (0.19, 0.26),  # of the spectacles
    "frame_height": (0.12, 0.20),
    "frame_round": (0.1, 1.0),
    "frame_tone": (0.02, 0.45),
}
CHANCES = {"long_hair": 0.4, "bald": 0.08, "fringe": 0.25, "moustache": 0.15, "beard": 0.15, "mole": 0.35, "spectacles": 0.3}  # fmt: skip


def people(numbers: Iterable[int], seed: int = 0) -> dict[str, np.ndarray]:
    """The people with these numbers: name of a trait → (N,) float32; ``tone`` is (N,) int, an index into ``TONES``.

    A person depends on ``seed`` and their number alone, so number 7 is the same whoever else is asked for.

    >>> some, other = people([7, 8]), people([8])
    >>> bool(some["eye_gap"][1] == other["eye_gap"][0]), len(some) > 40
    (True, True)
    """
    drawn = np.stack([np.random.default_rng((seed, 1, n)).random(2 * len(RANGES) + 12) for n in numbers])
    wide, narrow, rest = np.split(drawn, [len(RANGES), 2 * len(RANGES)], axis=1)
    middle = 0.65 * wide + 0.35 * narrow  # ordinary noses are commoner than extreme ones
    traits = {name: low + (high - low) * middle[:, i] for i, (name, (low, high)) in enumerate(RANGES.items())}
    traits |= {name: rest[:, i] < chance for i, (name, chance) in enumerate(CHANCES.items())}
    traits["fringe"] &= ~traits["bald"]
    tone = np.searchsorted(np.cumsum(SHARES)[:-1], rest[:, 8], side="right")
    low, high = np.array(SKIN)[tone].T
    traits["skin"] = low + (high - low) * rest[:, 9]
    traits["hair"] *= np.where(tone == 0, 1.0, 0.45)
    return {name: np.float32(values) for name, values in traits.items()} | {"tone": tone}
