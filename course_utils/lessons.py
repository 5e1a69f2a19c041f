"""The lessons of the course: their numbers, names and what each notebook says about itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course_utils.errors import CourseError
from course_utils.paths import NOTEBOOKS

TITLES = {
    "00_start_here": "Start here",
    "01_convolution": "Convolution",
    "02_filters_and_kernels": "Filters and kernels",
    "03_stride_and_padding": "Stride and padding",
    "04_pooling": "Pooling",
    "05_cnn_architecture": "CNN architecture",
    "06_loss_functions": "Loss functions",
    "07_backpropagation": "Backpropagation",
    "08_optimization": "Optimization",
    "09_training_in_practice": "Training in practice",
    "10_architectures": "Architectures",
    "11_transfer_learning": "Transfer learning",
    "12_what_a_cnn_sees": "What a CNN sees",
    "13_image_classification": "Image classification",
    "14_object_detection": "Object detection",
    "15_image_segmentation": "Image segmentation",
    "16_facial_recognition": "Facial recognition",
    "17_medical_imaging": "Medical imaging",
    "18_autonomous_driving": "Autonomous driving",
    "19_training_clinic": "Training clinic",
    "20_from_notebook_to_product": "From notebook to product",
}


@dataclass(frozen=True)
class Lesson:
    """One lesson: ``name`` is ``NN_topic``; the rest is read from its notebook.

    >>> Lesson("01_convolution").number
    '01'
    """

    name: str

    @property
    def number(self) -> str:
        """The two digits it starts with."""
        return self.name[:2]

    @property
    def title(self) -> str:
        """The heading, without its number."""
        return TITLES[self.name]

    @property
    def path(self) -> Path:
        """Its notebook, which may not be written yet."""
        return NOTEBOOKS / f"{self.name}.ipynb"

    @cached_property
    def about(self) -> dict:
        """The ``course`` entry of the notebook's metadata: question, headline and its words, data, prerequisites, expect, cost."""
        return json.loads(self.path.read_text(encoding="utf-8"))["metadata"].get("course", {})

    def expectations(self, profile: str, real: bool) -> dict[str, dict[str, float]]:
        """The thresholds for a profile and for real or stand-in data: metric → ``{"min": …, "max": …}``."""
        by_data = self.about.get("expect", {}).get(profile, {})
        return by_data.get("any", {}) | by_data.get("real" if real else "embedded", {})


def written() -> list[Lesson]:
    """The lessons whose notebook exists, in order."""
    return [lesson for lesson in map(Lesson, TITLES) if lesson.path.exists()]


def find(selector: str) -> Lesson:
    """Return the lesson for a number (``1``, ``01``), a name or a path to its notebook.

    Raises :class:`CourseError` that lists the lessons when there is none, or when it is not written yet.

    >>> find("1").name
    '01_convolution'
    """
    key = Path(selector).name.removesuffix(".ipynb")
    matches = [n for n in TITLES if n == key or (key.isdecimal() and int(n[:2]) == int(key))]
    have = ", ".join(lesson.name for lesson in written())
    if not matches:
        raise CourseError(
            f"unknown lesson {selector!r}. Lessons: {have}. Name one by its number or its name."
        )
    lesson = Lesson(matches[0])
    if not lesson.path.exists():
        raise CourseError(f"lesson {lesson.name!r} is planned but not written yet. Lessons: {have}.")
    return lesson
