"""From boxes in frames to tracks over time: a Kalman filter for a box, the assignment, and how well identities were kept."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from course_utils.detection.boxes import pairwise_iou
from course_utils.errors import CourseError

NOISE = 0.1  # of a measured box: its error as a share of its height
AGILITY = 0.3  # of its motion: how much the rate may change, in heights per second, within a second
LEAST = 0.5  # pixels: a shorter side of a box counts as this long


class Kalman:
    """The filter of one box, for a motion at constant rate: ``x`` (4, 2) holds the values and their rates, per second.

    The four values are the middle in heights of the first box, and the logarithms of width and height, so that all have
    the same noise and one 2×2 covariance ``P``. The rate of the logarithm of the height is one over the time to
    collision. Lesson 18; Kalman, 1960; Bewley et al., 2016.

    >>> track = Kalman([0, 0, 10, 20])
    >>> for k in range(1, 30):
    ...     track.predict(0.1); track.update([k, 0, 10 + k, 20])
    >>> track.box.round(1).tolist(), (track.x[0, 1] * 20).round(1).item()
    ([29.0, 0.0, 39.0, 20.0], 10.0)
    """

    def __init__(self, box, noise: float = NOISE, agility: float = AGILITY):
        self.unit, self.noise, self.agility = max(float(box[3] - box[1]), LEAST), noise, agility
        self.x = np.stack([self._measured(box), np.zeros(4)], axis=1)
        self.P = np.diag([noise**2, 1.0])

    def predict(self, dt: float) -> None:
        """Move on by ``dt`` s: the values by their rates, and the uncertainty grows."""
        move = np.array([[1, dt], [0, 1]])
        grow = self.agility**2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        self.x, self.P = self.x @ move.T, move @ self.P @ move.T + grow

    def update(self, box) -> None:
        """Take in a measured ``box``, as much of it as its noise and the uncertainty of the prediction say."""
        gain = self.P[:, 0] / (self.P[0, 0] + self.noise**2)
        self.x = self.x + np.outer(self._measured(box) - self.x[:, 0], gain)
        self.P = self.P - np.outer(gain, self.P[0])

    @property
    def box(self) -> np.ndarray:
        """Where the box is now: x1, y1, x2, y2 in pixels."""
        middle, half = self.x[:2, 0] * self.unit, np.exp(np.minimum(self.x[2:, 0], 12)) / 2
        return np.concatenate([middle - half, middle + half])

    @property
    def time_to_collision(self) -> float:
        """Seconds until the box would fill the view if it grew on like this; infinite where it does not grow."""
        rate = self.x[3, 1]
        return float(1 / rate) if rate > 1e-6 else float("inf")

    def _measured(self, box) -> np.ndarray:
        x1, y1, x2, y2 = map(float, box)
        size = max(x2 - x1, LEAST), max(y2 - y1, LEAST)
        return np.array([(x1 + x2) / 2 / self.unit, (y1 + y2) / 2 / self.unit, *np.log(size)])


@dataclass
class Track:
    """Somebody who is followed: ``id``, ``label``, ``score`` of the last detection, ``hits`` so far, frames ``missed`` since."""

    id: int
    label: int
    score: float
    filter: Kalman
    hits: int = 1
    missed: int = 0


@dataclass
class Tracker:
    """Tracking by detection: predict each track, match by IoU, update; a track lives from its ``confirm``-th hit to ``lost`` misses.

    ``overlap``: the least IoU of a match. Only boxes of one label match. Lesson 18; Bewley et al., 2016.

    >>> tracker = Tracker(confirm=2)
    >>> [[t.id for t in tracker.step([[k, 0, 10 + k, 20]], [0], [0.9], dt=0.1)] for k in range(4)]
    [[], [1], [1], [1]]
    """

    overlap: float = 0.3
    confirm: int = 2
    lost: int = 4
    tracks: list[Track] = field(default_factory=list)
    _ids: itertools.count = field(default_factory=lambda: itertools.count(1))

    def step(self, boxes, labels, scores, dt: float) -> list[Track]:
        """Take in the detections of the next frame, ``dt`` s later; returns the tracks that are confirmed and seen now."""
        for track in self.tracks:
            track.filter.predict(dt)
        pairs = assign(
            [t.filter.box for t in self.tracks], boxes, [t.label for t in self.tracks], labels, self.overlap
        )
        for i, j in pairs:
            track = self.tracks[i]
            track.filter.update(boxes[j])
            track.hits, track.missed, track.score = track.hits + 1, 0, float(scores[j])
        found, seen = {i for i, _ in pairs}, {j for _, j in pairs}
        for i, track in enumerate(self.tracks):
            track.missed += i not in found
        self.tracks = [t for t in self.tracks if t.missed <= (self.lost if t.hits >= self.confirm else 0)]
        for j in set(range(len(boxes))) - seen:
            self.tracks.append(Track(next(self._ids), int(labels[j]), float(scores[j]), Kalman(boxes[j])))
        return [t for t in self.tracks if t.missed == 0 and t.hits >= self.confirm]


def overlaps(a, b) -> np.ndarray:
    """Lesson 14's IoU of each box of ``a`` (n, 4) with each of ``b`` (m, 4), lists or arrays, one perhaps empty: (n, m).

    >>> overlaps([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]).round(2).tolist()
    [[0.33, 0.0]]
    """
    a, b = (torch.from_numpy(np.asarray(boxes, float).reshape(-1, 4)) for boxes in (a, b))
    return pairwise_iou(a, b).numpy()


def assign(predicted, boxes, labels, found, overlap: float) -> list[tuple[int, int]]:
    """Pairs (i, j) of tracks and detections of the same label with the largest sum of IoU, each of at least ``overlap``.

    >>> assign([[0, 0, 4, 4], [2, 0, 6, 4]], [[1, 0, 5, 4], [0, 0, 4, 4]], [0, 0], [0, 0], 0.3)
    [(0, 1), (1, 0)]
    """
    gain = overlaps(predicted, boxes)
    same = np.reshape(labels, (-1, 1)) == np.reshape(found, (1, -1))
    gain = np.where(same & (gain >= overlap), gain, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if gain[i, j] > 0]


@dataclass(frozen=True)
class Identities:
    """``idf1``, 0 to 1; ``switches``: how often somebody's number changed; ``kept``, ``true``, ``predicted``: numbers of boxes."""

    idf1: float
    switches: int
    kept: int
    true: int
    predicted: int


def identities(truth: Sequence, tracked: Sequence, overlap: float = 0.5) -> Identities:
    """How well identities were kept over the frames of one video, or of several whose ids do not repeat.

    ``truth``, ``tracked``: for each frame (boxes (n, 4), ids (n,)). Each true identity is paired with at most one tracked one, for the
    whole video, so that most boxes agree (IoU ≥ ``overlap``): these are ``kept``, and IDF1 is 2 kept / (true + predicted).
    A switch is a true identity whose match in a frame has another number than its last one. Matches are made anew in every
    frame, by IoU alone; CLEAR MOT would keep that of the frame before. Lesson 18; Ristani et al., 2016.
    Raises :class:`CourseError` for an id that stands twice in one frame.

    >>> box = [[0, 0, 10, 10]]
    >>> identities([(box, [7])] * 4, [(box, [1]), (box, [1]), (box, [1]), (box, [2])])
    Identities(idf1=0.75, switches=1, kept=3, true=4, predicted=4)
    """
    together: dict[tuple[int, int], int] = {}
    last: dict[int, int] = {}
    switches = 0
    for frame, ((boxes, ids), (others, numbers)) in enumerate(zip(truth, tracked, strict=True)):
        for what, given in (("truth", ids), ("tracked", numbers)):
            given = [int(number) for number in given]
            if len(set(given)) < len(given):
                raise CourseError(
                    f"{what} has an id twice in frame {frame}: {given}. Give each box of a frame an id of its own."
                )
        for i, j in np.argwhere(overlaps(boxes, others) >= overlap):
            pair = int(ids[i]), int(numbers[j])
            together[pair] = together.get(pair, 0) + 1
        for i, j in assign(boxes, others, [0] * len(boxes), [0] * len(others), overlap):
            now = int(numbers[j])
            switches += last.get(int(ids[i]), now) != now
            last[int(ids[i])] = now
    people, followed = sorted({a for a, _ in together}), sorted({b for _, b in together})
    counts = np.array([[together.get((a, b), 0) for b in followed] for a in people]).reshape(
        len(people), len(followed)
    )
    kept = int(counts[linear_sum_assignment(counts, maximize=True)].sum()) if counts.size else 0
    true, predicted = sum(len(ids) for _, ids in truth), sum(len(ids) for _, ids in tracked)
    return Identities(2 * kept / max(true + predicted, 1), switches, kept, true, predicted)
