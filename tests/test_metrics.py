"""The metrics against torchmetrics, scikit-learn and scipy."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch

from course_utils import metrics
from course_utils.errors import CourseError

RNG = np.random.default_rng(0)
N, K = 700, 5
LOGITS = RNG.normal(size=(N, K)) * 2
TARGETS = np.where(RNG.random(N) < 0.5, LOGITS.argmax(1), RNG.integers(0, K, N))
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
POSITIVE = RNG.beta(3, 2, N)
BINARY = (RNG.random(N) < POSITIVE**2).astype(int)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, lambda a: a.tolist()])
def test_accuracy(kind):
    expected = sklearn.metrics.accuracy_score(TARGETS, LOGITS.argmax(1))
    assert metrics.accuracy(kind(LOGITS), kind(TARGETS)) == pytest.approx(expected)
    assert metrics.accuracy(kind(LOGITS.argmax(1)), kind(TARGETS)) == pytest.approx(expected)


def test_confusion_matrix():
    ours = metrics.confusion_matrix(TARGETS, LOGITS, K)
    assert np.array_equal(ours, sklearn.metrics.confusion_matrix(TARGETS, LOGITS.argmax(1)))
    assert metrics.confusion_matrix([0], [0], 3).shape == (3, 3)
    assert metrics.confusion_matrix([0, 1], LOGITS[:2]).shape == (K, K)  # classes that do not occur


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_agrees_with_torchmetrics(bins):
    from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

    ours = metrics.expected_calibration_error(PROBABILITIES, TARGETS, bins)
    theirs = multiclass_calibration_error(torch.tensor(PROBABILITIES), torch.tensor(TARGETS), K, n_bins=bins)
    assert ours == pytest.approx(float(theirs), abs=1e-6)
    ours = metrics.expected_calibration_error(POSITIVE, BINARY, bins)
    theirs = binary_calibration_error(torch.tensor(POSITIVE), torch.tensor(BINARY), n_bins=bins)
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_calibration_at_the_edges():
    assert metrics.expected_calibration_error([0.0, 1.0], [0, 1]) == 0
    assert metrics.expected_calibration_error([0.0, 1.0], [1, 0]) == 1
    assert metrics.calibration_bins([0.0, 0.5, 1.0], [0, 1, 1], bins=2).counts.tolist() == [1, 2]


def test_brier_score():
    assert metrics.brier_score(POSITIVE, BINARY) == pytest.approx(
        sklearn.metrics.brier_score_loss(BINARY, POSITIVE)
    )
    by_hand = np.mean(np.sum((PROBABILITIES - np.eye(K)[TARGETS]) ** 2, axis=1))
    assert metrics.brier_score(torch.tensor(PROBABILITIES), TARGETS) == pytest.approx(by_hand)


def test_bootstrap_agrees_with_scipy_and_the_binomial():
    correct = LOGITS.argmax(1) == TARGETS
    low, high = metrics.bootstrap_interval(correct, n_resamples=9999)
    theirs = scipy.stats.bootstrap(
        (correct.astype(float),), np.mean, method="percentile", n_resamples=9999, rng=1
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.003)
    exact = scipy.stats.binomtest(int(correct.sum()), N).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.006)


def test_bootstrap_of_a_statistic_of_two_arrays():
    def auroc(targets, scores):
        return sklearn.metrics.roc_auc_score(targets, scores)

    low, high = metrics.bootstrap_interval((BINARY, POSITIVE), auroc, n_resamples=200)
    assert low < auroc(BINARY, POSITIVE) < high
    assert 0.02 < high - low < 0.12
    slow = metrics.bootstrap_interval(POSITIVE, lambda x: x.mean(), n_resamples=300, seed=4)
    assert slow == metrics.bootstrap_interval(POSITIVE, np.mean, n_resamples=300, seed=4)


def test_bootstrap_draws_as_many_rows_as_there_are_by_its_seed():
    assert metrics.bootstrap_interval(np.arange(10), lambda rows: len(rows)) == (10, 10)
    assert metrics.bootstrap_interval(np.r_[np.zeros(9), 1], np.max)[1] == 1
    assert metrics.bootstrap_interval(POSITIVE, seed=0) != metrics.bootstrap_interval(POSITIVE, seed=1)


def test_bootstrap_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(7)
    covered = [
        low <= 0.8 <= high
        for low, high in (
            metrics.bootstrap_interval(rng.random(200) < 0.8, n_resamples=500) for _ in range(300)
        )
    ]
    assert 0.90 <= np.mean(covered) <= 0.98


def test_intervals_over_seeds():
    values = [0.88, 0.91, 0.89, 0.90]
    theirs = scipy.stats.t.interval(0.95, 3, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert metrics.seed_interval(values) == pytest.approx(theirs)
    assert metrics.percentile_interval(values, 0.9) == pytest.approx(tuple(np.percentile(values, [5, 95])))


def test_an_interval_over_splits_of_the_same_pictures_covers_as_often_as_it_says():
    """A quarter of 400 pictures is drawn three times: the scores are as correlated as Nadeau and Bengio suppose."""
    rng = np.random.default_rng(7)
    trials = [(rng.random(400) < 0.8, [rng.permutation(400)[:100] for _ in range(3)]) for _ in range(1000)]
    scores = [[right[rows].mean() for rows in splits] for right, splits in trials]
    covered = {}
    for ratio in (0, 100 / 300):
        bounds = np.array([metrics.seed_interval(s, test_to_train=ratio) for s in scores])
        covered[ratio] = ((bounds[:, 0] <= 0.8) & (0.8 <= bounds[:, 1])).mean()
    assert covered[0] < 0.92 and 0.93 <= covered[100 / 300] <= 0.97
    with pytest.raises(CourseError, match="at least 0"):
        metrics.seed_interval([0.8, 0.9], test_to_train=-0.1)


def test_group_accuracy_and_its_sample_sizes():
    groups = np.array(["mono", "poly"])[RNG.integers(0, 2, N)]
    found = metrics.group_accuracy(LOGITS, TARGETS, groups)
    assert list(found) == ["mono", "poly"] and sum(v.n for v in found.values()) == N
    chosen = groups == "mono"
    assert found["mono"].value == pytest.approx((LOGITS[chosen].argmax(1) == TARGETS[chosen]).mean())
    assert found["mono"].low < found["mono"].value < found["mono"].high


@pytest.mark.parametrize("n", [1, 5, 20])
@pytest.mark.parametrize("right", [True, False])
def test_all_right_and_all_wrong_have_an_interval(n, right):
    targets = np.zeros(n, int)
    predictions = targets if right else targets + 1
    exact = scipy.stats.binomtest(n * right, n).proportion_ci(0.9, method="wilson")
    found = metrics.accuracy_value(predictions, targets, confidence=0.9)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert metrics.group_accuracy(predictions, targets, ["all"] * n, confidence=0.9)["all"] == found
    mixed = np.append(predictions, targets[0] + right)
    assert (
        metrics.accuracy_value(mixed, np.append(targets, 0)).low
        == metrics.bootstrap_interval(mixed == np.append(targets, 0))[0]
    )


@pytest.mark.parametrize("predictions", [[0.9, 0.2], [0, np.nan], [0, np.inf], ["cat", "dog"], [None, 1]])
@pytest.mark.parametrize(
    "score", [metrics.accuracy, metrics.confusion_matrix, lambda p, t: metrics.accuracy(t, p)]
)
def test_class_numbers_are_whole(score, predictions):
    with pytest.raises(CourseError, match="whole class numbers"):
        score(predictions, [0, 1])


@pytest.mark.parametrize("score", [metrics.expected_calibration_error, metrics.brier_score])
@pytest.mark.parametrize(
    ("probabilities", "targets", "words"),
    [
        ([[0.9, 0.1]], [-1], "targets go from -1 to -1. Valid: 0 to 1"),
        ([[0.9, 0.1]], [255], "targets go from 255"),
        ([[0.9, 0.1]], [0.5], "whole class numbers"),
        ([0.9, 0.1], [2, 1], "targets go from 1 to 2"),
        ([0.9, 0.1], [1, -1], "targets go from -1"),
        ([0.9, 0.1], [1, np.nan], "targets go from nan"),
        (["a", "b"], [1, 0], "probabilities hold"),
        ([[0.9], [0.1]], [1, 0], "K at least 2"),
    ],
)
def test_outcomes_that_cannot_be_are_told(score, probabilities, targets, words):
    with pytest.raises(CourseError, match=words):
        score(probabilities, targets)


@pytest.mark.parametrize(
    "interval",
    [metrics.bootstrap_interval, metrics.percentile_interval, metrics.seed_interval],
)
def test_a_confidence_is_a_share(interval):
    with pytest.raises(CourseError, match="confidence is 95"):
        interval([0.8, 0.9], confidence=95)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.accuracy([1, 2], [1]), r"\(2,\) and targets \(1,\)"),
        (lambda: metrics.accuracy([], []), "N at least 1"),
        (lambda: metrics.expected_calibration_error(LOGITS, TARGETS), "softmax"),
        (lambda: metrics.confusion_matrix([0, 5], [0, 1], 3), "0 to 2"),
        (lambda: metrics.bootstrap_interval([]), "at least 1"),
        (lambda: metrics.bootstrap_interval([1.0], confidence=95), "between 0 and 1"),
        (lambda: metrics.bootstrap_interval([1.0], n_resamples=0), "n_resamples is 0"),
        (lambda: metrics.bootstrap_interval(np.ones((5, 2))), "come as a tuple"),
        (lambda: metrics.bootstrap_interval([np.zeros(5), np.ones(5)]), "come as a tuple"),
        (lambda: metrics.bootstrap_interval(([1, 2], [1])), "one length"),
        (lambda: metrics.percentile_interval([]), "no values"),
        (lambda: metrics.calibration_bins([0.5], [1], bins=0), "bins is 0"),
        (lambda: metrics.accuracy([[0.9], [0.1]], [1, 0]), "K at least 2"),
        (lambda: metrics.accuracy([[np.nan, np.nan]], [0]), "NaN"),
        (lambda: metrics.accuracy(3, [1]), "N at least 1"),
        (lambda: metrics.confusion_matrix([2], [[0.1, 0.9]]), "0 to 1"),
        (lambda: metrics.seed_interval([0.9]), "at least two seeds"),
        (lambda: metrics.group_accuracy([0, 1], [0, 1], ["a"]), "one label for each"),
        (lambda: metrics.group_accuracy([0, 1, 1], [0, 1], ["a", "b"]), r"\(3,\) and targets \(2,\)"),
        (lambda: metrics.group_accuracy([0, 1], [0, 1], [1.0, np.nan]), r"nan at \[1\]"),
        (lambda: metrics.group_accuracy([0, 1], [0, 1], [None, "a"]), r"None at \[0\]"),
        (lambda: metrics.group_accuracy([0, 1], [0, 1], ["a", np.nan]), r"nan at \[1\]"),
    ],
)
def test_wrong_use_is_told(call, words):
    with pytest.raises(CourseError, match=words):
        call()
