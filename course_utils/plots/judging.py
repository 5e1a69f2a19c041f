"""Plots that judge a classifier: confusion matrix, reliability diagram, its worst mistakes."""

from __future__ import annotations

import numpy as np

from course_utils.errors import CourseError
from course_utils.plots.images import image_grid
from course_utils.plots.style import COLOURS, array, describe, one, panels


def confusion(matrix, classes, ax=None, title: str = ""):
    """Draw a confusion matrix ``(K, K)`` of counts or shares, rows are the true classes, shaded by the share of its row.

    Raises :class:`CourseError` when the matrix is not square or the classes are not as many.

    >>> confusion([[9, 1], [2, 8]], ["functional", "defective"]).get_ylabel()
    'true class'
    """
    matrix, classes = array(matrix, "matrix"), [str(c) for c in classes]
    k = len(classes)
    if matrix.shape != (k, k) or not k:
        raise CourseError(f"matrix has shape {matrix.shape} for {k} classes. Valid: ({k}, {k}).")
    longest = max(map(len, classes))
    side = max(3.4, 0.55 * k + 1.8) + 0.08 * max(0, longest - 12)
    alone = ax is None
    ax = one(ax, side + 1.0, side)
    total = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.where(total > 0, total, 1)
    drawn = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ax.grid(visible=False)
    for (i, j), part in np.ndenumerate(share):
        text = f"{matrix[i, j]:g}" if k > 6 else f"{matrix[i, j]:g}\n{part:.0%}"
        ax.text(j, i, text, ha="center", va="center", color="white" if part > 0.55 else "black", fontsize=10)
    long = longest > (12 if k < 3 else 8) or k > 12
    ax.set_xticks(range(k), classes, rotation=45 if long else 0, ha="right" if long else "center")
    ax.set_yticks(range(k), classes)
    ax.set(xlabel="predicted class", ylabel="true class", title=title)
    if alone:
        ax.figure.colorbar(drawn, ax=ax, label="share of the true class", shrink=0.8)
    named = f": {', '.join(classes)}" if k <= 12 else ""
    describe(
        ax,
        f"{title + ': ' if title else ''}Confusion matrix of {k} classes{named}; rows are the true classes.",
    )
    return ax


def reliability(probabilities, targets, bins: int = 10, title: str = "") -> np.ndarray:
    """Draw how often a classifier is right at each confidence, above how often it has that confidence.

    ``probabilities``: ``(N, K)``, or ``(N,)`` for the positive class of two; ``targets``: ``(N,)`` class numbers.
    Returns the two axes, ``(2,)``. A calibrated classifier lies on the diagonal. Lesson 13; Guo et al. (2017).

    >>> axes = reliability([[0.8, 0.2], [0.3, 0.7]], [0, 1])
    >>> axes[0].get_ylabel()
    'accuracy'
    """
    from course_utils.metrics import calibration_bins

    table = calibration_bins(probabilities, targets, bins)
    figure = panels(2, 1, 4.6, 5.0)[0, 0].figure
    figure.clear()
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    middle, width = (table.edges[:-1] + table.edges[1:]) / 2, np.diff(table.edges)
    full = table.counts > 0
    top.bar(middle[full], table.accuracy[full], width[full] * 0.94, color=COLOURS[4], label="in the bin")
    top.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=1.5, label="calibrated")
    top.plot(
        table.confidence[full], table.accuracy[full], "o", color=COLOURS[1], label="at the mean confidence"
    )
    positive = array(probabilities, "probabilities").ndim == 1
    top.set(ylabel="share of positives" if positive else "accuracy", ylim=(0, 1.02), xlim=(0, 1), title=title)
    top.legend(loc="upper left")
    bottom.bar(middle, table.counts / table.counts.sum(), width * 0.94, color=COLOURS[0])
    bottom.set(xlabel="confidence (predicted probability)", ylabel="share of\npictures")
    describe(
        top,
        f"{title + ': ' if title else ''}Reliability diagram: {top.get_ylabel()} against confidence, in {bins} bins.",
    )
    describe(bottom, "Below it, the share of pictures in each bin.")
    return np.array([top, bottom])


def most_wrong(images, targets, probabilities, classes, n: int = 12, columns: int = 6) -> np.ndarray:
    """Draw the ``n`` pictures that a classifier got wrong with the least probability for the true class, worst first.

    ``images``: as in ``image_grid``; ``targets``: ``(N,)``; ``probabilities``: ``(N, K)``; ``classes``: K names.
    Each title says the true class, then what was predicted and how surely. With no mistake the figure says so.
    Raises :class:`CourseError` when the shapes do not fit, or ``n`` is less than 1.

    >>> axes = most_wrong(np.zeros((2, 8, 8)), [0, 1], [[0.1, 0.9], [0.2, 0.8]], ["cat", "dog"])
    >>> axes[0, 0].get_title()
    'cat\\n→ dog 0.90'
    """
    targets, probabilities = array(targets, "targets"), array(probabilities, "probabilities")
    if (
        probabilities.ndim != 2
        or probabilities.shape != (len(targets), len(classes))
        or len(images) != len(targets)
    ):
        raise CourseError(
            f"most_wrong() got {len(images)} images, {len(targets)} targets, probabilities of shape "
            f"{probabilities.shape} and {len(classes)} classes. Valid: N, N, (N, K) and K."
        )
    if n < 1:
        raise CourseError(f"n is {n}. Valid: whole numbers from 1.")
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    if not len(wrong):
        ax = one(None, 4.0, 1.2)
        ax.set_axis_off()
        ax.text(0.5, 0.5, f"No mistake among {len(targets)} pictures.", ha="center", va="center")
        describe(ax, "A note: the classifier made no mistake here.")
        return np.array([[ax]])
    worst = wrong[np.argsort(probabilities[wrong, targets[wrong].astype(int)], kind="stable")][:n]
    titles = [
        f"{classes[int(targets[i])]}\n→ {classes[predicted[i]]} {probabilities[i, predicted[i]]:.2f}"
        for i in worst
    ]
    longest = max(len(line) for title in titles for line in title.split("\n"))
    axes = image_grid([images[int(i)] for i in worst], titles, columns, cell=max(1.5, 0.085 * longest + 0.1))
    described = f"The {len(worst)} wrongly classified pictures whose true class got the least probability, worst first."
    describe(axes[0, 0], described)
    return axes
