"""The patients of the clinic: what each script is given, what its disease is, and when its run has recovered."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from course_utils.clinic.chart import Chart
from course_utils.clinic.signs import signs
from course_utils.clinic.ward import Pictures
from course_utils.errors import choice

DISEASES = dict(
    zip(
        "0ABCDEFGHIJKL",
        (
            "learning rate too low", "learning rate too high", "labels shuffled", "softmax before cross-entropy",
            "dead ReLUs", "leakage", "normalisation mismatch", "zero_grad forgotten",
            "augmentation destroys the label", "frozen by mistake", "train mode at evaluation", "exploding gradients",
            "class imbalance ignored",
        ),
        strict=True,
    )
)  # fmt: skip

_WELL = {"in_use": (0.95, 1), "valid_accuracy": (0.93, 1)}
_PLAIN = {"in_use": (0.9, 1), "valid_accuracy": (0.88, 1)}  # of the net without normalisation
GOALS: dict[str, dict[str, tuple[float, float]]] = (
    dict.fromkeys(DISEASES, _WELL)
    | dict.fromkeys("ADK", _PLAIN)
    | {
        "C": {"last_loss": (0, 0.3)} | _WELL,
        "E": {"twins": (0, 0.05), "in_use": (0.8, 1)},
        "G": {"cosine": (-1, 0.9)} | _WELL,
        "H": {"altered": (0, 0.05), "in_use": (0.97, 1)},
        "J": {"company": (0, 0.02), "careless": (0, 0)} | _WELL,
        "L": {"worst_class": (0.6, 1), "in_use": (0.9, 1)},
    }
)


def admit(case: str, pictures: Pictures, seed: int = 0, few: int = 150, rare: int = 24) -> Pictures:
    """What the script of a case is given: all ``pictures``, but for E only ``few``, and for L two rare classes."""
    choice(case, tuple(DISEASES), "case")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))
    if case == "E":
        return pictures.take(order[:few])
    if case == "L":
        place = torch.zeros(len(pictures), dtype=torch.long)  # of a picture among those of its class
        for k in range(len(pictures.classes)):
            place[order[pictures.targets[order] == k]] = torch.arange(int((pictures.targets == k).sum()))
        return pictures.take((pictures.targets < len(pictures.classes) - 2) | (place < rare))
    return pictures


@cache
def digits() -> tuple[Pictures, Pictures]:
    """scikit-learn's handwritten digits, 8×8: the pictures for the scripts, and those for the exam."""
    from course_utils.data import load

    parts = [load("digits", split) for split in ("train", "test")]
    return tuple(Pictures(part.images, part.targets, part.classes) for part in parts)


def train(script: Callable, data: Pictures, seed: int = 0) -> Chart:
    """Run a script under a seed; the chart is what it returns."""
    torch.manual_seed(seed)
    return script(data)


class Recovery:
    """What a repaired run reached, against what a recovered one reaches.

    Two are equal when both recovered, or when neither did and they are the same run, step by step: so that a wrong
    repair is told from another wrong repair.
    """

    def __init__(self, case: str, chart: Chart, data: Pictures, exam: Pictures):
        self.goals = GOALS[case]
        self.losses = np.array(chart.losses + chart.valid_losses)
        self.signs = signs(chart, data, exam)
        self.missed = [s for s, (low, high) in self.goals.items() if not low <= self.signs[s] <= high]
        self.well = not self.missed

    def __eq__(self, other) -> bool:
        if not isinstance(other, Recovery) or self.well != other.well:
            return False
        if self.well:
            return True
        alike = self.missed == other.missed and len(self.losses) == len(other.losses)
        return alike and bool(np.allclose(self.losses, other.losses, rtol=1e-3, equal_nan=True))

    __hash__ = None

    def __repr__(self) -> str:
        return "a run that recovered" if self.well else "a run that is still ill"

    @property
    def report(self) -> str:
        """What was reached: the sign that is not well, else the first, with its limit."""
        sign = (self.missed or list(self.goals))[0]
        low, high = self.goals[sign]
        value = self.signs[sign]
        limit = f"at least {low:g}" if value < low or (self.well and low > 0) else f"at most {high:g}"
        verdict = "The run recovered" if self.well else "The run is still ill"
        return f"{verdict}: {sign} {value:.4g}; recovered means {limit}."
