"""How good a detector is: average precision as COCO counts it, and what kind of mistakes it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from course_utils.detection.boxes import area, pairwise_iou
from course_utils.errors import choice

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
RECALLS = np.linspace(0, 1, 101)
EVERYTHING = (0.0, 1e10)


@dataclass(frozen=True)
class Judged:
    """``ap`` (T, K): average precision at each threshold of IoU for each class, NaN for a class without a box.

    ``precision`` (T, K, 101): the precision envelope at the recalls 0, 0.01 … 1. ``boxes`` (K,): how many there are.
    """

    ap: np.ndarray
    precision: np.ndarray
    boxes: np.ndarray
    thresholds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over thresholds and classes: COCO's mAP; NaN where no class has a box."""
        return _mean(self.ap)

    def at(self, threshold: float = 0.5) -> float:
        """The mean over classes at one threshold of IoU: mAP@50 for 0.5. Raises :class:`CourseError` for one that was not judged."""
        choice(threshold, self.thresholds, "threshold of IoU")
        return _mean(self.ap[self.thresholds.index(threshold)])


def average_precision(
    found: Sequence,
    boxes: Sequence,
    labels: Sequence,
    num_classes: int,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    areas: tuple[float, float] = EVERYTHING,
    most: int = 100,
) -> Judged:
    """Average precision of what was ``found`` in N pictures, by the rules of the COCO evaluator.

    ``found``: N :class:`~course_utils.detection.Detections`; ``boxes``: N tensors (n, 4); ``labels``: N tensors (n,). Of each
    picture and class the ``most`` best detections count. From the best score down, a detection takes the free box of its class
    with the highest IoU of at least the threshold; else it is wrong. ``areas``: boxes outside this range of square
    pixels are neither wanted nor counted against anyone. Lesson 14; Lin et al., 2014.

    >>> from course_utils.detection import Detections
    >>> found = [Detections(torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([0.9]), torch.tensor([0]))]
    >>> average_precision(found, [torch.tensor([[0.0, 0, 10, 8]])], [torch.tensor([0])], 1).mean
    0.7
    """
    shape = (len(thresholds), num_classes)
    ap, precision = np.full(shape, np.nan), np.zeros((*shape, len(RECALLS)))
    counts = np.zeros(num_classes, int)
    for k in range(num_classes):
        pictures = [
            _matched(one, own, its == k, k, thresholds, areas, most)
            for one, own, its in zip(found, boxes, labels, strict=True)
        ]
        counts[k] = sum(wanted for *_, wanted in pictures)
        if counts[k] == 0:
            continue
        scores, hits, ignored, _ = zip(*pictures, strict=True)
        order = np.argsort(-np.concatenate(scores), kind="mergesort")
        hits, ignored = (np.concatenate(parts, axis=1)[:, order] for parts in (hits, ignored))
        for t in range(len(thresholds)):
            precision[t, k] = envelope(hits[t][~ignored[t]], counts[k])
            ap[t, k] = precision[t, k].mean()
    return Judged(ap, precision, counts, tuple(thresholds))


def envelope(hits: np.ndarray, wanted: int) -> np.ndarray:
    """Precision at the recalls 0, 0.01 … 1, each the best that is reached at this recall or a higher one: (101,).

    ``hits`` (n,) says of each detection, best score first, whether it found a box; ``wanted`` is the number of boxes.

    >>> envelope(np.array([True, False, True]), wanted=2)[[0, 50, 51, 100]].round(3).tolist()
    [1.0, 1.0, 0.667, 0.667]
    """
    right = np.cumsum(hits)
    recall, precision = right / wanted, right / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return np.append(precision, 0.0)[np.searchsorted(recall, RECALLS, side="left")]


def mistakes(found, boxes, labels, *, overlap: float = 0.5, touch: float = 0.1) -> list[dict]:
    """Sort the errors of N pictures by kind: a list of ``{"kind", "picture", "box", "label", "score"}``.

    Detections are matched from the best score down at an IoU of ``overlap``. One that has no free box of its class is a
    ``"duplicate"`` (its box is taken), of the ``"wrong class"`` (it lies on a box of another class), a ``"loose box"`` (it
    touches one of its class by ``touch`` or more) or ``"background"``. A box that nothing found is ``"missed"``, without
    a score, unless a detection of the wrong class or a loose one lies on it. Lesson 14; after Bolya et al., 2020.

    >>> from course_utils.detection import Detections
    >>> nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0).long())
    >>> [m["kind"] for m in mistakes([nothing], [torch.tensor([[0.0, 0, 9, 9]])], [torch.tensor([0])])]
    ['missed']
    """
    errors = []
    for picture, (one, own, its) in enumerate(zip(found, boxes, labels, strict=True)):
        iou, free, explained = pairwise_iou(one.boxes, own), torch.ones(len(own)).bool(), set()
        same = one.labels[:, None] == its[None]
        for i in one.scores.argsort(descending=True, stable=True).tolist():
            fits = torch.where(same[i] & free, iou[i], -1.0)
            if len(own) and fits.max() >= overlap:
                free[fits.argmax()] = False
                continue
            kind, on = _kind(iou[i], same[i], overlap, touch)
            if on is not None:
                explained.add(on)
            errors.append(_error(kind, picture, one.boxes[i], one.labels[i], float(one.scores[i])))
        lost = [j for j in range(len(own)) if free[j] and j not in explained]
        errors += [_error("missed", picture, own[j], its[j], None) for j in lost]
    return errors


def _mean(ap: np.ndarray) -> float:
    """The mean of what is not NaN, without numpy's warning where nothing is left."""
    return float("nan" if np.isnan(ap).all() else np.nanmean(ap))


def _kind(iou, same, overlap, touch):
    """The kind of a wrong detection, and the box that it explains, if it does."""
    if not len(iou):
        return "background", None
    own = torch.where(same, iou, -1.0)
    if own.max() >= overlap:
        return "duplicate", None
    if iou.max() >= overlap:
        return "wrong class", int(iou.argmax())
    if own.max() >= touch:
        return "loose box", int(own.argmax())
    return "background", None


def _error(kind, picture, box, label, score) -> dict:
    return {"kind": kind, "picture": picture, "box": box, "label": int(label), "score": score}


def _matched(one, own, of_class, k, thresholds, areas, most):
    """Of one picture and class: scores (n,), hits and ignored (T, n), and the number of boxes that are wanted."""
    mine = one.labels == k
    order = np.argsort(-one.scores[mine].numpy(), kind="mergesort")[:most]
    detected, truth = one.boxes[mine][torch.from_numpy(order.copy())].double(), own[of_class].double()
    outside = _outside(area(truth), areas)
    first_wanted = np.argsort(outside, kind="mergesort")
    truth, outside = truth[torch.from_numpy(first_wanted)], outside[first_wanted]
    iou = pairwise_iou(detected, truth).numpy()
    hits = np.zeros((len(thresholds), len(detected)), bool)
    ignored = np.tile(_outside(area(detected), areas), (len(thresholds), 1))
    for t, threshold in enumerate(thresholds):
        free = np.ones(len(truth), bool)
        for i in range(len(detected)):
            for group in (~outside, outside):  # a box that is wanted comes before one that is not
                candidates = np.where(free & group & (iou[i] >= min(threshold, 1 - 1e-10)), iou[i], -1)
                if len(truth) and candidates.max() >= 0:
                    j = len(candidates) - 1 - candidates[::-1].argmax()  # of equals the last, as COCO does
                    free[j], hits[t, i], ignored[t, i] = False, True, outside[j]
                    break
    return one.scores[mine].numpy()[order], hits, ignored, int((~outside).sum())


def _outside(areas: torch.Tensor, limits) -> np.ndarray:
    return ((areas < limits[0]) | (areas > limits[1])).numpy()
