"""What must travel with a model's weights: classes, preprocessing, version, and a fingerprint of its training data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields

import numpy as np

from course_utils import __version__
from course_utils.errors import CourseError

KEY = "course.about"  # where it stands in the metadata of an ONNX file


@dataclass(frozen=True)
class About:
    """Everything that a user of the model file would otherwise have to be told.

    ``size``: pixels a side inside the network; ``channels``: 1 (grey) or 3 (RGB); ``mean`` and ``std`` for values in
    [0, 1]; ``data_sha256``: :func:`fingerprint` of the training pictures and labels. Raises :class:`CourseError` for
    fewer than two classes, a class twice, other channels, a size or spread of 0.

    >>> about = About(("good", "bad"), 96, 1, 0.5, 0.5, data="elpv")
    >>> About.from_json(about.to_json()) == about
    True
    """

    classes: tuple[str, ...]
    size: int
    channels: int
    mean: float
    std: float
    data: str = ""
    data_sha256: str = ""
    version: str = __version__
    precision: str = "float32"

    def __post_init__(self):
        object.__setattr__(self, "classes", tuple(self.classes))
        named = 2 <= len(self.classes) == len(set(self.classes))
        if not (named and self.channels in (1, 3) and self.size >= 1 and self.std > 0):
            raise CourseError(
                f"a model with classes {list(self.classes)}, {self.channels} channels, size {self.size} and std {self.std}. "
                "Valid: at least two different class names; 1 channel (grey) or 3 (RGB); size from 1; std above 0."
            )

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> About:
        """Read it back. Raises :class:`CourseError` when a field is missing or unknown."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            names = ", ".join(f.name for f in fields(cls))
            raise CourseError(
                f"the model's description cannot be read ({error}). Its fields: {names}."
            ) from None


def fingerprint(images, targets) -> str:
    """SHA-256 over pictures ``(N, ...)`` uint8 and labels ``(N,)`` int, shapes included: other data, another text.

    Raises :class:`CourseError` for pictures of another kind: rounded to whole numbers, different ones would be the same.

    >>> pictures, labels = np.zeros((2, 1, 4, 4), np.uint8), np.array([0, 1])
    >>> fingerprint(pictures, labels)[:8], fingerprint(pictures, 1 - labels)[:8]
    ('e6f8ed59', '5fb6188e')
    """
    images, targets = np.ascontiguousarray(images), np.ascontiguousarray(targets, np.dtype("<i8"))
    if images.dtype != np.uint8:
        raise CourseError(f"pictures of {images.dtype}. Valid: uint8, as they were before any preparation.")
    digest = hashlib.sha256(repr((images.shape, targets.shape)).encode())
    digest.update(images)
    digest.update(targets)
    return digest.hexdigest()
