"""Exercises of lesson 13: twins across a split, confusion, soft labels, calibration, costs, intervals, inputs."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.exercises.bank import Case, Exercise, Mistake
from course_utils.exercises.compare import with_dtype


def without_twins(train, test, group):
    return train[~np.isin(group[train], group[test])]


def precision_recall(matrix):
    true_positive = matrix[1, 1]
    return true_positive / matrix[:, 1].sum(), true_positive / matrix[1, :].sum()


def soft_loss(logits, probability):
    targets = torch.stack([1 - probability, probability], dim=1)
    return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def threshold_for(cost_look, cost_miss):
    return cost_look / cost_miss


def interval(correct, draws):
    accuracies = correct[draws].mean(axis=1)
    return np.quantile(accuracies, 0.025), np.quantile(accuracies, 0.975)


def calibration_error(confidence, correct, edges):
    error = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    return error


def prepare_one(picture):
    x = torch.as_tensor(picture).float() / 255
    return ((x - 0.5) / 0.5)[None, None]


def _exchanged_precision_recall(m):
    return m[1, 1] / m[1, :].sum(), m[1, 1] / m[:, 1].sum()


def _negative_precision_recall(m):
    return m[0, 0] / m[:, 0].sum(), m[0, 0] / m[0, :].sum()


def _bins(confidence, correct, edges, holds=lambda c, low, high: (c > low) & (c <= high)):
    for low, high in pairwise(edges):
        inside = holds(confidence, low, high)
        if inside.any():
            yield inside.mean(), confidence[inside].mean() - correct[inside].mean()


def _error_of(holds):
    return lambda c, r, e: sum(share * abs(gap) for share, gap in _bins(c, r, e, holds))


def _from_lower(c, low, high):
    return (c >= low) & (c < high)


def _around(middle, spread):
    return middle - 1.96 * spread, middle + 1.96 * spread


def _standardised(picture, correction):
    x = torch.as_tensor(picture).float()  # one grey for all pixels raises: there answers differ
    return ((x - x.mean()) * (1 / x.std(correction=correction).item()))[None, None]


def _two_columns(p):
    return torch.stack([1 - p, p], dim=1)


_GROUP = np.array([0, 0, 1, 2, 2, 2, 3, 4, 4, 5])
_SPLITS = [
    Case(np.array([0, 2, 3, 6, 7]), np.array([1, 4, 5, 8, 9]), _GROUP),
    Case(np.array([0, 1, 3, 9]), np.array([2, 4, 5, 6]), _GROUP),
    Case(np.array([3, 4, 0, 7, 8, 6]), np.array([1, 2, 9]), _GROUP),
]
_MATRICES = [
    Case(np.array([[80, 5], [10, 25]])),
    Case(np.array([[430, 21], [47, 158]])),
    Case(np.array([[6, 4], [1, 9]])),
]
_LOGITS = [
    Case(torch.tensor([[2.0, -1.0], [0.5, 0.1], [-1.0, 3.0]]), torch.tensor([0.0, 1 / 3, 1.0])),
    Case(torch.tensor([[0.0, 1.5], [4.0, 0.0]]), torch.tensor([2 / 3, 1 / 3])),
]
_CONFIDENCE = np.array([0.55, 0.58, 0.66, 0.71, 0.78, 0.83, 0.86, 0.92, 0.95, 0.97])
_CORRECT = np.array([1, 0, 0, 1, 0, 1, 1, 1, 0, 1])
_EDGES = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
_DRAWS = np.random.default_rng(0).integers(0, 40, (300, 40))
_FEW = np.random.default_rng(141).integers(0, 20, (300, 20))
_RIGHT = (np.arange(40) % 8 != 3).astype(float)

EXERCISES = [
    Exercise(
        id="13.1",
        title="Mend a leak",
        reference=without_twins,
        cases=_SPLITS,
        mistakes=[
            Mistake(
                lambda a, b, g: b[~np.isin(g[b], g[a])],
                "You cleaned the test set. That makes the score honest as well, but the test pictures were to stay: clean `train`.",
            ),
            Mistake(
                lambda a, b, g: a[~np.isin(a, b)],
                "You compared the row numbers themselves. No row stands on both sides, so nothing is ever left out; compare `group[train]` with `group[test]`.",
            ),
            Mistake(
                lambda a, b, g: a[np.isin(g[a], g[b])],
                "Those are the rows with a group-mate in the test set, the leak itself. Keep the others.",
            ),
            Mistake(
                lambda a, b, g: ~np.isin(g[a], g[b]),
                "That says of each row of `train` whether it stays. Asked for are the rows: `train[...]`.",
            ),
            Mistake(
                lambda a, b, g: np.setdiff1d(g[a], g[b]),
                "Those are groups. Asked for are the rows of `train` that belong to them.",
            ),
            Mistake(
                lambda a, b, g: np.flatnonzero(~np.isin(g[a], g[b])),
                "Those are places within `train`. What stands at these places is asked for: `train[...]`.",
            ),
            Mistake(
                lambda a, b, g: a[np.bincount(g)[g][a] == 1],
                "You left out every picture with a twin anywhere. Two twins that are both in `train` leak nothing.",
            ),
        ],
        hints=(
            "`train` and `test` hold row numbers. What do `group[train]` and `group[test]` hold?",
            "`np.isin(a, b)` says for each element of `a` whether it occurs in `b`. The order of the two matters.",
            "Ask for each element of `group[train]` whether it occurs in `group[test]`; `~` turns the answer around, and `train[...]` takes the rows.",
        ),
    ),
    Exercise(
        id="13.2",
        title="Precision and recall of a defect",
        reference=precision_recall,
        cases=_MATRICES,
        mistakes=[
            Mistake(
                _exchanged_precision_recall,
                "The two are exchanged, or you took the rows for predictions. Rows are true classes: a row sum is how many there are (recall), a column sum how many were flagged (precision).",
            ),
            Mistake(
                _negative_precision_recall,
                "Those are the values of class 0, the functional cells. The defect is class 1.",
            ),
            Mistake(
                lambda m: (np.trace(m) / m.sum(), m[1, 1] / m[1, :].sum()),
                "The recall is right. The first value is the accuracy, which counts the many functional cells; precision asks only about the cells that were flagged.",
            ),
            Mistake(
                lambda m: (m[1, 1] / m.sum(), m[1, 1] / m.sum()),
                "You divided by all pictures. Precision divides by those that were flagged, recall by those that are defective.",
            ),
            Mistake(
                lambda m: (m[1, 1] / m[:, 1].sum(), m[0, 0] / m[0, :].sum()),
                "The precision is right. The second value is the specificity: the share of functional cells that were left alone.",
            ),
            Mistake(
                lambda m: (m[0, 1] / m[:, 1].sum(), m[1, 0] / m[1, :].sum()),
                "You counted the errors: one minus each of these is asked for.",
            ),
        ],
        hints=(
            "Both have the same numerator: defective cells that were flagged. Where does it stand in the matrix?",
            "Precision: of those *flagged* (a column). Recall: of those *defective* (a row).",
            "`matrix[:, 1].sum()` were flagged, `matrix[1, :].sum()` are defective.",
        ),
    ),
    Exercise(
        id="13.3",
        title="A loss for a doubtful label",
        reference=soft_loss,
        cases=_LOGITS,
        mistakes=[
            Mistake(
                lambda z, p: F.cross_entropy(z.softmax(1), _two_columns(p)),
                "Softmax twice: `cross_entropy` (or `log_softmax`) takes logits and does the softmax itself. Squeezed into 0 to 1, the logits can never express much confidence.",
            ),
            Mistake(
                lambda z, p: F.cross_entropy(z, (p >= 0.5).long()),
                "You rounded the label. A cell at 1/3 then counts as surely functional, which is what nobody said.",
            ),
            Mistake(
                lambda z, p: F.cross_entropy(z, torch.stack([p, 1 - p], dim=1)),
                "The columns are exchanged: column 0 is functional and gets 1 - probability.",
            ),
            Mistake(
                lambda z, p: -(p * F.log_softmax(z, 1)[:, 1]).mean(),
                "Only the defective half is there. A cell with probability 0 then costs nothing, whatever the net says: add the term with 1 - probability.",
            ),
            Mistake(
                lambda z, p: -(_two_columns(p) * F.log_softmax(z, 1)).sum(),
                "You summed over the batch. The mean keeps the learning rate independent of the batch size.",
            ),
            Mistake(
                lambda z, p: -(_two_columns(p) * F.log_softmax(z, 1)).mean(),
                "The mean runs over the classes too, so the loss is half of what it should be. Sum over the classes, then average over the pictures.",
            ),
            Mistake(
                lambda z, p: F.binary_cross_entropy_with_logits(z[:, 1], p),
                "The logit of one class alone is not enough: with two columns the sigmoid takes their difference, `logits[:, 1] - logits[:, 0]`.",
            ),
        ],
        hints=(
            "The hard loss is minus the log-probability of the true class. Here both classes are a little true.",
            "Weight the log-probability of each class by its share of the label: 1 - probability and probability.",
            "`log_softmax(logits, dim=1)` gives both columns; multiply, sum over the classes, negate, average.",
        ),
    ),
    Exercise(
        id="13.4",
        title="The threshold that costs decide",
        reference=threshold_for,
        cases=[Case(1, 5), Case(2, 3), Case(20, 480)],
        mistakes=[
            Mistake(
                lambda look, miss: look / (look + miss),
                "That is the lesson's formula, where a look that finds a defect is free. Here every flag costs its look, so flagging costs the same whatever p is.",
            ),
            Mistake(
                lambda look, miss: 1 - look / miss,
                "That is the probability of a *good* cell at the threshold. Asked for is that of a defect: the dearer a miss, the lower.",
            ),
            Mistake(
                lambda look, miss: miss / (look + miss),
                "The wrong way round: the dearer a miss, the *lower* the threshold must be. Yours flags only when sure.",
            ),
            Mistake(
                lambda look, miss: miss / look,
                "That is a ratio of costs above 1, and no probability. Which cost does p multiply?",
            ),
            Mistake(
                lambda look, miss: look / (miss - look),
                "You charged a flagged defect two looks. Flagging costs one look, leaving costs p misses on average.",
            ),
            Mistake(
                lambda look, miss: 0.5,
                "Half is right only where a miss costs two looks.",
            ),
        ],
        hints=(
            "A cell is defective with probability p. What does flagging it cost on average, and what does leaving it?",
            "Flagging costs cost_look, defect or not; leaving costs p · cost_miss on average. At the threshold they are equal.",
            "Solve look = p · miss for p.",
        ),
    ),
    Exercise(
        id="13.5",
        title="Expected calibration error",
        reference=calibration_error,
        cases=[
            Case(_CONFIDENCE, _CORRECT, _EDGES),
            Case(_CONFIDENCE, 1 - _CORRECT, np.array([0.5, 0.75, 1.0])),
            Case(np.array([0.55, 0.58, 0.66, 0.95]), np.array([1, 1, 1, 0]), _EDGES),
            Case(np.array([0.55, 0.6, 0.65, 0.9, 0.95, 1.0]), np.array([1, 1, 0, 1, 1, 0]), _EDGES),
        ],
        mistakes=[
            Mistake(
                lambda c, r, e: np.mean([abs(gap) for _, gap in _bins(c, r, e)]),
                "Every bin counts the same here, one picture as much as a hundred. Weight each gap by the share of pictures in its bin.",
            ),
            Mistake(
                lambda c, r, e: sum(share * gap for share, gap in _bins(c, r, e)),
                "Without the absolute value, an overconfident bin cancels an underconfident one.",
            ),
            Mistake(
                lambda c, r, e: abs(c.mean() - r.mean()),
                "That is one bin over everything. A net can be too sure in one place and too doubtful in another; the bins keep them apart.",
            ),
            Mistake(
                lambda c, r, e: max(abs(gap) for _, gap in _bins(c, r, e)),
                "That is the largest gap, called the maximum calibration error.",
            ),
            Mistake(
                lambda c, r, e: sum(share * gap**2 for share, gap in _bins(c, r, e)),
                "You squared the gaps. The expected calibration error takes their absolute value.",
            ),
            Mistake(
                lambda c, r, e: len(c) * sum(share * abs(gap) for share, gap in _bins(c, r, e)),
                "You weighted by counts, not by shares: divide by the number of pictures.",
            ),
            Mistake(
                lambda c, r, e: -sum(share * gap for share, gap in _bins(c, r, e)),
                "Your gaps keep their sign, so doubt in one bin makes up for too much confidence in another. Take `abs` of each gap.",
            ),
            Mistake(
                lambda c, r, e: np.abs(c - r).mean(),
                "You took the absolute value for each picture. Average inside the bin first, then take the gap.",
            ),
            Mistake(
                _error_of(_from_lower),
                "Your bins hold their lower edge. A bin holds its upper one; with yours a confidence of exactly 1 falls out of every bin.",
            ),
            Mistake(
                _error_of(lambda c, low, high: (c >= low) & (c <= high)),
                "A confidence on an edge counts in two of your bins. A bin holds its upper edge, not its lower one.",
            ),
            Mistake(
                _error_of(lambda c, low, high: (c > low) & (c < high)),
                "A confidence on an edge is in none of your bins. A bin holds its upper edge: `<=`.",
            ),
            Mistake(
                _error_of(lambda c, low, high: (c >= low) & ((c < high) | (high == 1))),
                "You put an edge into the bin above it, as `np.histogram` does. Here it belongs to the bin below.",
            ),
            Mistake(
                lambda c, r, e: _error_of(_from_lower)(c, r, [*e, np.inf]),
                "`np.digitize` puts an edge into the bin above, and a confidence of 1 into a bin of its own. `right=True` changes both.",
            ),
        ],
        hints=(
            "Per bin there are three numbers: how many pictures, how sure on average, how often right.",
            "The gap of a bin is |mean confidence - mean correct|. Bins with many pictures count more.",
            "`inside = (confidence > low) & (confidence <= high)`; `inside.mean()` is the weight; skip empty bins.",
        ),
    ),
    Exercise(
        id="13.6",
        title="A bootstrap interval",
        reference=interval,
        cases=[Case(_RIGHT, _DRAWS), Case(1 - _RIGHT, _DRAWS), Case(_RIGHT[:20], _FEW)],
        mistakes=[
            Mistake(
                lambda c, d: (np.quantile(c[d], 0.025), np.quantile(c[d], 0.975)),
                "Those are quantiles of single answers, which are all 0 or 1. First average each draw: its accuracy.",
            ),
            Mistake(
                lambda c, d: (np.quantile(c[d].mean(0), 0.025), np.quantile(c[d].mean(0), 0.975)),
                "You averaged over the draws. Each *row* of `draws` is one resampled test set: average along axis 1.",
            ),
            Mistake(
                lambda c, d: (np.quantile(c[d].mean(1), 0.05), np.quantile(c[d].mean(1), 0.95)),
                "That leaves 5 % on each side, a 90 % interval. For 95 %, 2.5 % lie on each side.",
            ),
            Mistake(
                lambda c, d: (c[d].mean(1).min(), c[d].mean(1).max()),
                "Smallest and largest grow apart the more draws you make. Take quantiles.",
            ),
            Mistake(
                lambda c, d: (c.mean() - 1.96 * c.std(), c.mean() + 1.96 * c.std()),
                "That is the spread of single answers. The mean of N answers varies less, by the square root of N; the draws show by how much.",
            ),
            Mistake(
                lambda c, d: np.percentile(c[d].mean(1), [0.025, 0.975]),
                "`np.percentile` takes percents: 2.5 and 97.5. `np.quantile` takes 0.025 and 0.975.",
            ),
            Mistake(
                lambda c, d: _around(c[d].mean(), c[d].mean(1).std()),
                "That supposes a bell curve. Read the bounds off the draws: their quantiles.",
            ),
            Mistake(
                lambda c, d: _around(c.mean(), c[d].mean(1).std()),
                "A bell curve around the accuracy is as wide on both sides, and the draws need not be. Take their quantiles.",
            ),
            Mistake(
                lambda c, d: _around(c.mean(), (c.mean() * (1 - c.mean()) / len(c)) ** 0.5),
                "That formula uses no draw. The draws show the spread themselves: take their quantiles.",
            ),
        ],
        hints=(
            "`correct[draws]` holds many test sets at once. What is its shape?",
            "One accuracy for each draw, then the quantiles of these accuracies.",
            "`correct[draws].mean(axis=1)`, then `np.quantile(…, 0.025)` and `np.quantile(…, 0.975)`.",
        ),
    ),
    Exercise(
        id="13.7",
        title="Prepare one picture for the network",
        reference=prepare_one,
        observe=with_dtype,
        cases=[
            Case(np.array([[0, 255], [51, 102]], np.uint8)),
            Case(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)),
            Case(np.full((3, 3), 200, np.uint8)),
        ],
        mistakes=[
            Mistake(
                lambda x: (torch.as_tensor(x).float() / 255)[None, None],
                "Values from 0 to 1. This network was trained on -1 to 1: subtract 0.5, divide by 0.5. It still answers, which is why this error is hard to see.",
            ),
            Mistake(
                lambda x: ((torch.as_tensor(x).float() - 0.5) / 0.5)[None, None],
                "The division by 255 is missing, so the inputs are in the hundreds.",
            ),
            Mistake(
                lambda x: ((torch.as_tensor(x).float() / 255 - 0.485) / 0.229)[None, None],
                "Those are torchvision's ImageNet mean and deviation. Each set of weights has its own; this one was trained with 0.5 and 0.5.",
            ),
            Mistake(
                lambda x: (torch.as_tensor(x).float() / 255 - 0.5) / 0.5,
                "The values are right. The network wants a batch: (1, 1, H, W).",
            ),
            Mistake(
                lambda x: ((torch.as_tensor(x).float() / 255 - 0.5) / 0.5)[None],
                "One axis is missing: a batch of one grey picture has a batch axis and a channel axis.",
            ),
            Mistake(
                lambda x: _standardised(x, 1),
                "You standardised each picture by itself, which throws its brightness away. Use the constants that the weights were trained with.",
            ),
            Mistake(
                lambda x: _standardised(x, 0),
                "Each picture gets a mean and a deviation of its own here. The weights expect the same constants for every picture: 0.5 and 0.5.",
            ),
            Mistake(
                lambda x: (torch.as_tensor(x).float() / 255 - 0.5 / 0.5)[None, None],
                "Division binds closer than minus: 0.5 / 0.5 is 1. Put the difference in brackets.",
            ),
        ],
        hints=(
            "Three things: the range of the values, the constants of the weights, and the axes.",
            "Bytes to 0–1, then (x - 0.5) / 0.5, then two new axes in front.",
            "`x[None, None]` turns (H, W) into (1, 1, H, W).",
        ),
    ),
]
