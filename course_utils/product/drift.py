"""Are the pictures of today like those that the model was judged on? Tests with a known rate of false alarms.

Nothing here needs a label. An alarm says *different*, not *worse*. Lesson 20; Rabanser et al., 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.errors import CourseError

STATISTICS = ("brightness", "contrast", "sharpness")


def picture_statistics(pixels) -> np.ndarray:
    """Brightness, contrast and sharpness of pictures: (N, H, W, C) uint8 → (N, 3) float, in units of grey, 0 to 255.

    Mean, standard deviation, and the mean size of a step to the next pixel. Bright pictures have larger steps, so
    sharpness is relative to the contrast.

    >>> picture_statistics(np.full((1, 4, 4, 1), 9, np.uint8)).tolist()
    [[9.0, 0.0, 0.0]]
    """
    grey = np.asarray(pixels).mean(axis=3, dtype=np.float32)
    contrast = grey.std(axis=(1, 2))
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    return np.stack([grey.mean(axis=(1, 2)), contrast, steps / np.maximum(contrast, 1.0)], axis=1)


def squared_distances(a, b) -> np.ndarray:
    """Between the rows of (N, D) and (M, D): (N, M)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0)


@dataclass(frozen=True)
class Verdict:
    """One look at one window: ``p_value`` and ``alarm`` for each of the three questions."""

    p_value: dict[str, float]
    alarm: dict[str, bool]

    @property
    def any(self) -> bool:
        """Whether one of them rings."""
        return any(self.alarm.values())


class Monitor:
    """Compares windows of new pictures with reference pictures that the model was *not* trained on.

    Three questions, each answered by a permutation test (Fisher, 1935) whose p-value is right whatever the distribution:

    - ``pictures``: are brightness, contrast and sharpness as before? The largest difference of means, in standard
      deviations of all pictures.
    - ``embedding``: is what the network sees as before? Maximum mean discrepancy with a Gaussian kernel as wide as the
      median distance (Gretton et al., 2012).
    - ``classes``: does it predict the classes as often as before? The largest difference of mean probabilities.

    ``reference``: (statistics (N, 3), embedding (N, D), probabilities (N, K)), as :meth:`describe` gives them. ``alpha``
    is the rate of false alarms for a window, shared among the three (Bonferroni). Raises :class:`CourseError` for too few
    reference pictures or permutations.

    >>> rng = np.random.default_rng(1)
    >>> draw = lambda n, shift: (rng.normal(shift, 1, (n, 3)), rng.normal(shift, 1, (n, 8)), np.full((n, 2), 0.5))
    >>> monitor = Monitor(draw(200, 0), alpha=0.01)
    >>> monitor(draw(40, 0)).any, monitor(draw(40, 1)).alarm
    (False, {'pictures': True, 'embedding': True, 'classes': False})
    """

    def __init__(self, reference, alpha: float = 0.05, permutations: int = 499, seed: int = 0):
        self.reference = tuple(np.asarray(part, np.float64) for part in reference)
        n = len(self.reference[0])
        if n < 20 or any(len(part) != n for part in self.reference):
            raise CourseError(
                f"the reference has {[len(p) for p in self.reference]} rows. Valid: equal, 20 or more."
            )
        if permutations + 1 < 3 / alpha:
            raise CourseError(
                f"{permutations} permutations cannot reach a p-value of {alpha / 3:.4f}. Valid: at least {int(3 / alpha)}."
            )
        self.alpha, self.permutations, self.seed = alpha, permutations, seed
        within = squared_distances(self.reference[1], self.reference[1])
        self.width = float(np.median(within[np.triu_indices(n, 1)])) or 1.0
        self.within = np.exp(-within / self.width)

    @staticmethod
    def describe(classifier, pixels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is compared, for pictures (N, H, W, C) uint8 of one size: statistics, embedding, probabilities."""
        probabilities, embedding = classifier.over(pixels)
        return picture_statistics(pixels), embedding, probabilities

    def __call__(self, window) -> Verdict:
        """Compare a window, described in the same way, with the reference. Raises :class:`CourseError` for other shapes."""
        window = tuple(np.asarray(part, np.float64) for part in window)
        n, m = len(self.reference[0]), len(window[0])
        shapes = [part.shape for part in window]
        if not m or shapes != [(m, *part.shape[1:]) for part in self.reference]:
            raise CourseError(
                f"a window of shapes {shapes}. Valid: one picture or more, described as the reference."
            )
        pooled = np.concatenate([self.reference[0], window[0]])
        spread = pooled.std(axis=0) + 1e-9  # of all: that of one group makes the true grouping a special one
        weights = permuted_weights(n, m, self.permutations, np.random.default_rng(self.seed))
        differences = {
            "pictures": np.abs(weights @ pooled / spread).max(1),
            "embedding": self._discrepancies(weights, window[1]),
            "classes": np.abs(weights @ np.concatenate([self.reference[2], window[2]])).max(1),
        }
        p_values = {name: float((d >= d[0] - 1e-12).mean()) for name, d in differences.items()}
        return Verdict(p_values, {name: p <= self.alpha / 3 for name, p in p_values.items()})

    def _discrepancies(self, weights, window) -> np.ndarray:
        across = np.exp(-squared_distances(self.reference[1], window) / self.width)
        kernel = np.block(
            [[self.within, across], [across.T, np.exp(-squared_distances(window, window) / self.width)]]
        )
        return np.einsum("pi,pi->p", weights @ kernel, weights)


def permuted_weights(n: int, m: int, permutations: int, rng) -> np.ndarray:
    """Weights (permutations + 1, n + m) whose product with values is "mean of m minus mean of n".

    The first row is the true grouping, the others are random ones. For a kernel matrix k, ``w @ k @ w`` is the (biased)
    squared maximum mean discrepancy.

    >>> permuted_weights(2, 1, 0, np.random.default_rng(0)).tolist()
    [[-0.5, -0.5, 1.0]]
    """
    row = np.concatenate([np.full(n, -1 / n), np.full(m, 1 / m)])
    return np.stack([row, *(rng.permutation(row) for _ in range(permutations))])
