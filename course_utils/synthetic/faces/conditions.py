"""What changes from one picture of a person to the next."""

from __future__ import annotations

import numpy as np

from course_utils.errors import CourseError, choice

OCCLUSIONS = ("nothing", "dark glasses", "scarf", "hand")
OCCLUDED = 0.12  # share of the pictures with something in front of the face

# name: (middle, deviation, lowest, highest)
CONDITIONS = {
    "yaw": (0.0, 0.26, -0.6, 0.6),  # radians; positive looks to the right of the picture
    "pitch": (0.0, 0.12, -0.3, 0.3),
    "roll": (0.0, 0.09, -0.3, 0.3),
    "zoom": (0.0, 0.05, -0.15, 0.15),
    "shift_x": (0.0, 0.025, -0.08, 0.08),  # in heights of the picture
    "shift_y": (0.0, 0.025, -0.08, 0.08),
    "smile": (0.25, 0.5, -0.7, 1.2),
    "mouth_open": (-0.2, 0.45, 0.0, 1.0),
    "eyes_open": (0.95, 0.2, 0.15, 1.15),
    "brow_raise": (0.0, 0.02, -0.05, 0.06),
    "light_side": (0.0, 0.5, -1.2, 1.2),  # radians; positive comes from the right of the picture
    "light_up": (0.35, 0.25, -0.4, 1.0),
    "light_hard": (0.45, 0.18, 0.05, 0.9),  # 0: from all sides; 1: from one
    "exposure": (0.0, 0.18, -0.7, 0.7),  # in powers of e
    "blur": (0.5, 0.35, 0.0, 2.5),  # pixels, at a height of 112
    "noise": (0.012, 0.006, 0.002, 0.08),  # deviation, in tones
    "background": (0.5, 0.22, 0.05, 0.95),
    "clothes": (0.4, 0.22, 0.05, 0.95),
    "hair_change": (0.0, 0.025, -0.06, 0.06),
}
SPECTACLES_ON = 0.75  # of the pictures of somebody who has some


def conditions(keys, seed: int, fixed: dict) -> dict[str, np.ndarray]:
    """Draw the conditions of pictures ``keys``, a list of (person, picture): name → (N,) float32, and ``occlusion`` (N,) int.

    ``fixed`` replaces some of them by numbers or (N,) arrays. Raises :class:`CourseError` for a name that is no condition, for
    an array of another length, and for an ``occlusion`` that is no index into ``OCCLUSIONS``.

    >>> keys = [(4, 0), (4, 1), (4, 2)]
    >>> conditions(keys, 0, {"yaw": 0.5, "occlusion": [0, 3, 0]})["occlusion"].tolist()
    [0, 3, 0]
    >>> conditions(keys, 0, {"yaw": [0.1, 0.2]})
    Traceback (most recent call last):
        ...
    course_utils.errors.CourseError: yaw has the shape (2,). Valid: one number, or 3, one for each picture.
    >>> conditions(keys, 0, {"occlusion": 7})
    Traceback (most recent call last):
        ...
    course_utils.errors.CourseError: unknown occlusion 7. Valid: 0, 1, 2, 3.
    """
    names = (*CONDITIONS, "occlusion", "spectacles_on")
    for name, value in fixed.items():
        choice(name, names, "condition")
        if np.shape(value) not in ((), (1,), (len(keys),)):
            raise CourseError(
                f"{name} has the shape {np.shape(value)}. Valid: one number, or {len(keys)}, one for each picture."
            )
    for number in np.ravel(fixed.get("occlusion", ())).tolist():
        choice(number, range(len(OCCLUSIONS)), "occlusion")
    drawn = np.stack(
        [np.random.default_rng((seed, 2, *key)).standard_normal(len(CONDITIONS) + 3) for key in keys]
    )
    table = {
        name: np.clip(middle + spread * drawn[:, i], low, high)
        for i, (name, (middle, spread, low, high)) in enumerate(CONDITIONS.items())
    }
    share = _uniform(drawn[:, -3])
    table["occlusion"] = np.where(share < OCCLUDED, 1 + np.floor(share / OCCLUDED * 3), 0)
    table["spectacles_on"] = _uniform(drawn[:, -2]) < SPECTACLES_ON
    table |= {name: np.broadcast_to(np.asarray(value), len(keys)) for name, value in fixed.items()}
    return {
        name: np.asarray(values, np.int64 if name == "occlusion" else np.float32)
        for name, values in table.items()
    }


def _uniform(normal: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(normal)
