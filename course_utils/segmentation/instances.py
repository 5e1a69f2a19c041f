"""From pixels to objects: watershed, and the scores of objects. Lesson 15."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.errors import CourseError
from course_utils.segmentation.metrics import ratio


def watershed_instances(
    boundary, threshold: float = 0.5, depth: float = 1.0, smallest: int = 20
) -> np.ndarray:
    """Number the objects that a boundary separates: probabilities (H, W) of *boundary* → (H, W) int32, 0 on the boundary.

    Pixels below ``threshold`` are inside. Water floods them from the summits of the distance to the boundary, and where two
    floods meet the number changes: a small gap in a membrane does not join two cells. In one connected area (four
    neighbours) the highest summit counts, and each other that rises ``depth`` pixels above the pass to a higher one.
    Objects with fewer than ``smallest`` pixels are left out. Beucher and Lantuéjoul, 1979.

    >>> wall = np.zeros((20, 41)); wall[:, 20] = 1; wall[10, 20] = 0
    >>> watershed_instances(wall).max()
    np.int32(2)
    """
    from scipy.ndimage import distance_transform_edt, label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    inside = np.asarray(boundary) < threshold
    distance = distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1]
    summits, n = label(h_maxima(distance, depth), np.ones((3, 3)))
    objects = watershed(-distance, summits, mask=inside)
    dry = label(inside & (objects == 0))[0]  # areas nowhere deep enough for a summit
    return _renumbered(np.where(dry > 0, n + dry, objects), smallest)


def components(inside, smallest: int = 20) -> np.ndarray:
    """Number the connected areas of a region (H, W) bool, four neighbours each: (H, W) int32, 0 outside.

    >>> components(np.eye(3, dtype=bool), smallest=1).max()
    np.int32(3)
    """
    from scipy.ndimage import label

    return _renumbered(label(np.asarray(inside))[0], smallest)


def _renumbered(objects, smallest):
    sizes = np.bincount(objects.ravel())
    keep = sizes >= smallest
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[objects]


@dataclass(frozen=True)
class Matches:
    """How predicted objects fit true ones: ``pairs`` (n, 2) of their numbers, ``ious`` (n,), and the counts of all.

    A score is NaN where there is nothing to score: take ``np.nanmean`` over pictures, some of which hold no object.

    >>> Matches(np.array([[1, 1]]), np.array([0.8]), predicted=2, true=1).f1
    0.6666666666666666
    """

    pairs: np.ndarray
    ious: np.ndarray
    predicted: int
    true: int

    @property
    def precision(self) -> float:
        """The share of predicted objects that are right; NaN where none is predicted."""
        return float(ratio(len(self.pairs), self.predicted))

    @property
    def recall(self) -> float:
        """The share of true objects that were found; NaN where there is none."""
        return float(ratio(len(self.pairs), self.true))

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, the recognition quality; NaN where no object is predicted or true."""
        return float(ratio(2 * len(self.pairs), self.predicted + self.true))

    @property
    def quality(self) -> float:
        """The panoptic quality of one class: F1 times the mean overlap of the pairs (Kirillov et al., 2019); NaN as F1."""
        return self.f1 * float(self.ious.mean()) if len(self.ious) else self.f1


def match_instances(predicted, true, threshold: float = 0.5, ignore=None) -> Matches:
    """Pair objects, numbers from 1 in (H, W), whose intersection over union exceeds ``threshold``, at least 0.5.

    Above one half an object can have one partner only, so no assignment is needed. Pixels where ``ignore`` is true are in no
    object. Raises :class:`CourseError` for a smaller threshold, other shapes, and what is no whole number from 0.

    >>> match_instances(np.array([[1, 1, 0, 2]]), np.array([[5, 5, 5, 0]])).pairs.tolist()
    [[1, 5]]
    """
    predicted, true = np.asarray(predicted), np.asarray(true)
    if threshold < 0.5 or predicted.shape != true.shape:
        raise CourseError(
            f"match_instances() got threshold {threshold} and shapes {predicted.shape} and {true.shape}. "
            "Valid: a threshold from 0.5, below which pairs are not unique, and equal shapes."
        )
    if ignore is not None:
        predicted, true = np.where(ignore, 0, predicted), np.where(ignore, 0, true)
    for what, numbers in (("predicted", predicted), ("true", true)):
        if numbers.dtype.kind not in "biu" or numbers.min(initial=0) < 0:
            raise CourseError(
                f"{what} is {numbers.dtype} from {numbers.min(initial=0)}. Valid: whole numbers from 0, which is no object."
            )
    predicted, true = predicted.astype(np.int64), true.astype(np.int64)
    size_p, size_t = np.bincount(predicted.ravel()), np.bincount(true.ravel())
    both, counts = np.unique(np.stack([predicted, true], -1).reshape(-1, 2), axis=0, return_counts=True)
    ious = counts / (size_p[both[:, 0]] + size_t[both[:, 1]] - counts)
    good = (both > 0).all(1) & (ious > threshold)
    return Matches(both[good], ious[good], int((size_p[1:] > 0).sum()), int((size_t[1:] > 0).sum()))
