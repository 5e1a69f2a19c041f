"""What an inspection finds: findings in three levels, the places they are at, and the pictures they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LEVELS = {"error": "BREAKS TRAINING", "warning": "LOOK AT THESE", "note": "GOOD TO KNOW"}
TASKS = ("classification", "detection", "segmentation", "faces", "medical", "driving")


class Place(NamedTuple):
    """Where a finding is: a ``file`` below the inspected folder, its ``line`` (0: the whole file), what is there.

    ``picture`` is the picture it is about, where ``file`` is a list of labels.
    """

    file: str
    note: str = ""
    line: int = 0
    picture: str = ""

    def __str__(self) -> str:
        """The place as ``file:line: note``.

        >>> print(Place("labels.csv", "the label is empty", 3))
        labels.csv:3: the label is empty
        """
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.note}" if self.note else where


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    ``code`` names the check and stays the same between versions, ``level`` is a key of :data:`LEVELS`, ``title`` is a
    sentence with the count, ``advice`` says what to do.
    """

    code: str
    level: str
    title: str
    advice: str
    places: tuple[Place, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of all places, each once, in order.

        >>> Finding("empty", "note", "t", "a", (Place("x", line=1), Place("x", line=2), Place("y"))).files
        ('x', 'y')
        """
        return tuple(dict.fromkeys(place.file for place in self.places))


class Box(NamedTuple):
    """A box with its corners in pixels, from the upper left; ``line`` or ``name`` say where it was written."""

    label: str
    x0: float
    y0: float
    x1: float
    y1: float
    line: int = 0
    name: str = ""


@dataclass
class Item:
    """One picture and what is said about it. ``file`` is its path below the root, with forward slashes.

    ``groups`` maps a kind (``patient``, ``identity``, ``video``) to the group's name; ``source`` and ``line`` say where
    the labels stand, ``stated`` is the (width, height) that the annotation gives the picture.
    """

    file: str
    split: str = ""
    label: str | None = None
    groups: dict[str, str] = field(default_factory=dict)
    boxes: list[Box] | None = None
    mask: str | None = None
    source: str = ""
    line: int = 0
    stated: tuple[int, int] | None = None


@dataclass
class Layout:
    """A folder as it was understood: its format in words, its items, and what was wrong with its files.

    ``labels`` says what the items carry: ``classes``, ``boxes``, ``masks`` or ``masks and boxes``. ``classes`` is the declared list of
    names, where the format has one. ``guessed`` are the kinds of groups that were read from file names. ``relative``
    says that the corners of boxes are shares of the picture's width and height, not pixels.
    """

    format: str
    labels: str
    items: list[Item]
    findings: list[Finding] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    relative: bool = False


@dataclass
class Report:
    """The result of an inspection. ``summary`` are the numbers of the first lines; findings stand worst first.

    ``lesson`` holds what the lesson of the task would refuse or leave unused, which a training of one's own need not.
    """

    root: Path
    task: str
    layout: Layout
    pictures: dict
    findings: list[Finding]
    summary: dict
    lesson: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that would break training."""
        return not any(finding.level == "error" for finding in self.findings)

    def found(self, code: str) -> Finding | None:
        """The first finding with this code, or ``None``."""
        return next((finding for finding in (*self.findings, *self.lesson) if finding.code == code), None)


def count(n: int, thing: str) -> str:
    """A number with its noun.

    >>> count(1, "picture"), count(1200, "box"), count(2, "entry")
    ('1 picture', '1,200 boxes', '2 entries')
    """
    if n == 1:
        return f"1 {thing}"
    if thing.endswith("y"):
        return f"{n:,} {thing[:-1]}ies"
    return f"{n:,} {thing}{'es' if thing.endswith(('x', 's')) else 's'}"
