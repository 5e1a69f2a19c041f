"""Scores of a segmentation, for each class, pooled over all pictures given. Lesson 15 writes each by hand.

Predictions and masks are class numbers: arrays or tensors of one shape, or lists of these, one for each picture. Pixels whose
mask is ``ignore`` count nowhere.
"""

from __future__ import annotations

import numpy as np

from course_utils.errors import CourseError

IGNORE = 255


def pixel_confusion(predictions, masks, num_classes: int, ignore: int = IGNORE) -> np.ndarray:
    """Count pixels: entry ``[i, j]`` is how many of class i were predicted as class j, (K, K) int64.

    Matrices of several batches may be added. Raises :class:`CourseError` where a picture and its mask differ in shape, or
    hold anything but whole numbers below ``num_classes`` and, in the mask, ``ignore``.

    >>> pixel_confusion([[0, 1, 1]], [[0, 0, 255]], num_classes=2).tolist()
    [[1, 1], [0, 0]]
    """
    total = np.zeros(num_classes * num_classes, np.int64)
    for predicted, mask, known in _pairs(predictions, masks, num_classes, ignore):
        predicted, mask = predicted[known].astype(np.int64), mask[known].astype(np.int64)
        total += np.bincount(mask * num_classes + predicted, minlength=total.size)
    return total.reshape(num_classes, num_classes)


def pixel_error(matrix) -> float:
    """The share of wrong pixels, from 0 to 1, of a :func:`pixel_confusion` matrix.

    >>> pixel_error([[3, 1], [0, 4]])
    0.125
    """
    matrix = np.asarray(matrix)
    if not matrix.sum():
        raise CourseError("the confusion matrix is empty: every pixel is ignored, or there is no picture.")
    return float(1 - np.trace(matrix) / matrix.sum())


def iou(matrix) -> np.ndarray:
    """Intersection over union of each class, (K,) from 0 to 1; NaN for a class neither true nor predicted (Jaccard, 1901).

    >>> iou([[3, 1], [0, 4]]).round(2).tolist()
    [0.75, 0.8]
    """
    both, true, predicted = _parts(matrix)
    return ratio(both, true + predicted - both)


def dice(matrix) -> np.ndarray:
    """The Dice coefficient (the F1 score of the pixels) of each class, (K,) from 0 to 1; NaN as in :func:`iou`.

    It is ``2 IoU / (1 + IoU)``. Dice, 1945.

    >>> dice([[3, 1], [0, 4]]).round(3).tolist()
    [0.857, 0.889]
    """
    both, true, predicted = _parts(matrix)
    return ratio(2 * both, true + predicted)


def boundary_f1(
    predictions, masks, num_classes: int, tolerance: float = 2.0, ignore: int = IGNORE
) -> np.ndarray:
    """The F1 score of the outlines of each class, (K,) from 0 to 1; NaN where no picture has an outline.

    An outline is every pixel of a class with a pixel of another class beside it (4 neighbours). A predicted outline pixel is
    right within ``tolerance`` pixels of a true one (precision), a true one is found within ``tolerance`` of a predicted one
    (recall). Counts are pooled over the pictures. Raises as :func:`pixel_confusion` does. Csurka et al., 2013.

    >>> line = np.zeros((6, 6), int); line[:, 3] = 1
    >>> boundary_f1(np.roll(line, 1, axis=1), line, 2, tolerance=1).tolist(), boundary_f1(line * 0, line, 2)[1].item()
    ([1.0, 1.0], 0.0)
    """
    from scipy.ndimage import distance_transform_edt

    counts = np.zeros((num_classes, 4))  # right, predicted, found, true
    for predicted, mask, known in _pairs(predictions, masks, num_classes, ignore):
        for k in range(num_classes):
            edges = [outline((numbers == k) & known, known) for numbers in (predicted, mask)]
            near = [
                distance_transform_edt(~edge) <= tolerance if edge.any() else np.zeros_like(edge)
                for edge in edges
            ]
            counts[k] += [
                (edges[0] & near[1]).sum(),
                edges[0].sum(),
                (edges[1] & near[0]).sum(),
                edges[1].sum(),
            ]
    right, predicted, found, true = counts.T
    precision, recall = ratio(right, predicted), ratio(found, true)
    score = ratio(2 * precision * recall, precision + recall)
    return np.where(predicted + true > 0, np.nan_to_num(score), np.nan)


def outline(inside: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """The pixels of a region (H, W) bool that touch a pixel outside it; pixels that are not ``known`` do not count.

    >>> outline(np.ones((3, 3), bool)).any(), outline(np.eye(3, dtype=bool)).sum().item()
    (np.False_, 3)
    """
    known = np.ones_like(inside) if known is None else known
    other = np.pad(known & ~inside, 1)
    return inside & (other[2:, 1:-1] | other[:-2, 1:-1] | other[1:-1, 2:] | other[1:-1, :-2])


def _parts(matrix):
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise CourseError(
            f"the confusion matrix has shape {matrix.shape}. Valid: (K, K), of pixel_confusion."
        )
    return np.diag(matrix), matrix.sum(1), matrix.sum(0)


def ratio(top, bottom) -> np.ndarray:
    """``top / bottom``, NaN where ``bottom`` is 0."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)


def _pairs(predictions, masks, num_classes, ignore):
    """Checked arrays (predicted, mask, where the mask is known) for each picture; a single picture (H, W) is one pair."""
    predictions, masks = _listed(predictions), _listed(masks)
    if len(predictions) != len(masks):
        raise CourseError(
            f"there are {len(predictions)} predictions for {len(masks)} masks. Give one for each."
        )
    for i, (predicted, mask) in enumerate(zip(predictions, masks, strict=True)):
        if predicted.shape != mask.shape or mask.ndim != 2:
            raise CourseError(
                f"prediction {i} has shape {predicted.shape}, its mask {mask.shape}. "
                "Both must hold class numbers (H, W); take the argmax of logits first."
            )
        known = mask != ignore
        for what, numbers in (("prediction", predicted[known]), ("mask", mask[known])):
            wrong = (numbers < 0) | (numbers >= num_classes) | (numbers % 1 != 0)
            if wrong.any():
                raise CourseError(
                    f"a {what} holds the class numbers {np.unique(numbers[wrong])[:5].tolist()}. Valid: 0 to {num_classes - 1}"
                    + (f", and {ignore} for pixels to ignore." if what == "mask" else ".")
                    + " Whole numbers alone: take the argmax of probabilities first."
                )
        yield predicted, mask, known


def _listed(value):
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, list | tuple) and len(value) and np.ndim(value[0]) >= 2:
        return [np.asarray(v.cpu() if hasattr(v, "cpu") else v) for v in value]
    value = np.asarray(value)
    return [value] if value.ndim == 2 else list(value)
