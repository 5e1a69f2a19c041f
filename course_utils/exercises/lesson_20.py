"""Exercises of lesson 20: from notebook to product."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.exercises.bank import Case, Exercise, Mistake


def same_numbers(reference, candidate, absolute, relative):
    gap = np.abs(candidate - reference)
    return bool((gap <= absolute + relative * np.abs(reference)).all())


def to_uint8(x, low, high):
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    zero = round(-low / scale)
    return np.clip(np.round(x / scale) + zero, 0, 255)


def tail_latency(milliseconds, warmup, share):
    times = np.sort(milliseconds[warmup:])
    rank = int(np.ceil(share * len(times)))
    return times[rank - 1]


def p_value(pooled, n, orders):
    def difference(values):
        return abs(values[n:].mean() - values[:n].mean())

    seen = difference(pooled)
    larger = sum(difference(pooled[order]) >= seen for order in orders)
    return (1 + larger) / (1 + len(orders))


def distillation_loss(student, teacher, targets, temperature, weight):
    soft_teacher = (teacher / temperature).softmax(1)
    soft_student = (student / temperature).log_softmax(1)
    soft = (soft_teacher * (soft_teacher.log() - soft_student)).sum(1).mean()
    hard = F.cross_entropy(student, targets)
    return weight * temperature**2 * soft + (1 - weight) * hard


def prepare_for(pixels, mean, std):
    x = torch.as_tensor(pixels).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (mean, std))
    return (x - mean) / std


def _affine(x, low, high, levels=255, rounding=np.round, clip=True, widen=True, zero_point=True):
    low, high = (min(low, 0.0), max(high, 0.0)) if widen else (low, high)
    scale = (high - low) / levels
    q = rounding(x / scale) + (round(-low / scale) if zero_point else 0)
    return np.clip(q, 0, 255) if clip else q


def _in_one_piece(x, low, high):
    return np.clip(np.round((x - low) / ((high - low) / 255)), 0, 255)


def _permuted(pooled, n, orders, difference, more=lambda a, b: a >= b):
    seen = difference(pooled[:n], pooled[n:])
    return sum(more(difference(pooled[o][:n], pooled[o][n:]), seen) for o in orders), len(orders)


def _gap(a, b):
    return abs(b.mean() - a.mean())


def _p_without_itself(pooled, n, orders):
    count, total = _permuted(pooled, n, orders, _gap)
    return count / total


def _p_one_sided(pooled, n, orders):
    count, total = _permuted(pooled, n, orders, lambda a, b: b.mean() - a.mean())
    return (1 + count) / (1 + total)


def _p_strict(pooled, n, orders):
    count, total = _permuted(pooled, n, orders, _gap, lambda a, b: a > b)
    return (1 + count) / (1 + total)


def _p_wrong_tail(pooled, n, orders):
    count, total = _permuted(pooled, n, orders, _gap, lambda a, b: a <= b)
    return (1 + count) / (1 + total)


def _p_within(pooled, n, orders):
    count = sum(_gap(pooled[:n], pooled[o][n:]) >= _gap(pooled[:n], pooled[n:]) for o in orders)
    return (1 + count) / (1 + len(orders))


def _distil(s, t, y, T, w, factor=None, teacher_t=None, turned=False, mean=False, hard_t=1.0):
    p, log_q = (t / (teacher_t or T)).softmax(1), (s / T).log_softmax(1)
    terms = log_q.exp() * (log_q - p.log()) if turned else p * (p.log() - log_q)
    soft = terms.mean() if mean else terms.sum(1).mean()
    return w * (T**2 if factor is None else factor) * soft + (1 - w) * F.cross_entropy(s / hard_t, y)


def _distil_by(divergence, s, t, y, T, w):
    return w * T**2 * divergence(s / T, (t / T).softmax(1)) + (1 - w) * F.cross_entropy(s, y)


def _letters(order):
    return "".join(filter(str.isalpha, order.upper())) if isinstance(order, str) else order


_P = np.array([[0.90, 0.10], [0.30, 0.70], [0.55, 0.45]])
_X = np.array([-1.0, -0.31, -0.013, 0.0, 0.011, 0.42, 1.71, 2.0, 5.0])
_TIMES = np.concatenate([[90.0, 40.0, 21.0], 10 + np.arange(199) % 37 * 0.11, [31.0, 55.0, 62.0]])
_RNG = np.random.default_rng(3)
_POOLED = [
    np.round(np.concatenate([_RNG.normal(0, 1, 12), _RNG.normal(shift, 1, 6)]), 1) for shift in (-0.9, 0.6)
]
_ORDERS = [_RNG.permutation(18) for _ in range(40)]
_BINARY = np.array([0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1], float)
_SMALL = [_RNG.permutation(12) for _ in range(25)]
_STUDENT = torch.tensor([[1.0, -0.5, 0.2], [0.1, 0.4, -1.0]])
_TEACHER = torch.tensor([[3.0, -2.0, 1.0], [-1.0, 0.5, 2.0]])
_LABELS = torch.tensor([0, 2])
_PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14
_MEAN, _STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)

EXERCISES = [
    Exercise(
        id="20.1",
        title="Same within a tolerance",
        reference=same_numbers,
        cases=[
            Case(_P, _P + np.array([[2e-5, -2e-5], [0, 0], [0, 0]]), 1e-6, 1e-4),
            Case(_P, _P + np.array([[0, 0], [0, 0], [4e-4, -4e-4]]), 1e-6, 1e-4),
            Case(_P, _P - np.array([[2e-3, 2e-3], [0, 0], [0, 0]]), 1e-6, 1e-4),
            Case(np.array([[1e-9, 1.0]]), np.array([[4e-7, 1.0]]), 1e-6, 1e-4),
            Case(np.array([[100.0, -100.0]]), np.array([[100.005, -100.005]]), 1e-6, 1e-4),
            Case(_P, _P + np.array([[1e-6, 1e-6], [0, 0], [0, 0.9]]), 1e-6, 1e-4),
            Case(np.array([[100.0, 100.0]]), np.array([[100.005, 99.995]]), 1e-6, 1e-4),
            Case(np.ones((1, 4)), np.array([[1.0002, 1.0, 1.0, 1.0]]), 1e-6, 1e-4),
            Case(np.array([[1.0]]), np.array([[1.5]]), 1e-6, 0.4),
            Case(np.array([[1.0]]), np.array([[1.0 + 1.005e-4]]), 1e-6, 1e-4),
            Case(_P, _P, 0.0, 0.0),
            Case(np.array([[0.5, 0.5]]), np.array([[0.5, np.nan]]), 1e-6, 1e-4),
            Case(np.array([[0.5]]), np.array([[-0.5]]), 1e-6, 1e-4),
        ],
        mistakes=[
            Mistake(
                lambda r, c, a, q: bool((np.abs(c - r) <= a + q * r).all()),
                "A negative reference makes the allowance smaller or negative: take the size, `np.abs(reference)`.",
            ),
            Mistake(
                lambda r, c, a, q: bool(np.abs(c - r).max() <= a + q * np.abs(r).max()),
                "The largest reference lends its allowance to all others. Each number has its own.",
            ),
            Mistake(
                lambda r, c, a, q: bool((c - r <= a + q * np.abs(r)).all()),
                "A candidate that is far too small passes: take the absolute value of the difference.",
            ),
            Mistake(
                lambda r, c, a, q: bool((np.abs(c - r) <= q * np.abs(r)).all()),
                "Only the relative part is there. A reference near zero then allows nothing at all, not even rounding; that is what the absolute part is for.",
            ),
            Mistake(
                lambda r, c, a, q: bool((np.abs(c - r) <= a).all()),
                "Only the absolute part is there. Numbers in the hundreds have larger rounding errors than numbers near one.",
            ),
            Mistake(
                lambda r, c, a, q: bool(np.abs(c - r).mean() <= a + q * np.abs(r).mean()),
                "You compared means. One picture that is quite wrong disappears among many that are right; every number must pass.",
            ),
            Mistake(
                lambda r, c, a, q: bool((r.argmax(1) == c.argmax(1)).all()),
                "Equal classes are not equal numbers: a probability can be far off before its class turns.",
            ),
            Mistake(
                lambda r, c, a, q: bool((np.abs(c - r) <= a + q * np.abs(c)).all()),
                "You took the size of the candidate; asked for is that of the reference. In `np.allclose` it is the second argument.",
            ),
            Mistake(
                lambda r, c, a, q: bool((np.abs(c - r) <= np.maximum(a, q * np.abs(r))).all()),
                "The two allowances are added, not chosen between.",
            ),
            Mistake(
                lambda r, c, a, q: bool((np.abs(c - r) < a + q * np.abs(r)).all()),
                "A gap as large as the allowance is allowed: `<=`. With `<`, no array is the same as itself at tolerance 0.",
            ),
        ],
        hints=(
            "Two allowances: one fixed, one that grows with the size of the reference.",
            "For every number: `|candidate - reference|` against `absolute + relative * |reference|`.",
            "`(gap <= absolute + relative * np.abs(reference)).all()`, made a `bool`.",
        ),
    ),
    Exercise(
        id="20.2",
        title="Affine quantisation to uint8",
        reference=to_uint8,
        cases=[
            Case(_X, -1.0, 2.0),
            Case(_X, -0.37, 1.9),
            Case(np.array([2.0, 3.1, 5.9, 0.0]), 2.0, 6.0),
            Case(np.array([-6.5, -2.0, -4.1, 0.0]), -6.0, -2.0),
        ],
        mistakes=[
            Mistake(
                lambda x, a, b: _affine(x, a, b, zero_point=False),
                "The zero point is missing: everything below zero became 0. Shift by the code that stands for zero, `round(-low / scale)`.",
            ),
            Mistake(
                lambda x, a, b: _affine(x, a, b, rounding=np.floor),
                "You rounded down. That moves every number by half a step on average, and a layer adds up a thousand of them.",
            ),
            Mistake(
                lambda x, a, b: _affine(x, a, b, rounding=np.trunc),
                "You cut off what follows the point, as `astype(int)` does, which moves every number towards zero. Round to the nearest: `np.round`.",
            ),
            Mistake(
                lambda x, a, b: _affine(x, a, b, levels=256),
                "256 codes have 255 steps between them: the scale is `(high - low) / 255`.",
            ),
            Mistake(
                lambda x, a, b: _affine(x, a, b, clip=False),
                "A value outside the range got a code outside 0 to 255. Stored in a byte it would wrap around, and the largest become the smallest: clip.",
            ),
            Mistake(
                lambda x, a, b: _affine(x, a, b, clip=False) % 256,
                "A byte wraps around: a code above 255 starts again at 0. Clip to 0 and 255 before `astype(np.uint8)`.",
            ),
            Mistake(
                lambda x, a, b: _affine(x, a, b, widen=False),
                "Zero is outside your range, so it has no code. Padding and ReLU produce exact zeros all the time: widen the range to include 0 first.",
            ),
            Mistake(
                lambda x, a, b: _in_one_piece(x, min(a, 0), max(b, 0)),
                "You rounded `(x - low) / scale` in one piece, so zero falls between two codes. Round the zero point by itself, then add it.",
            ),
            Mistake(
                _in_one_piece,
                "Zero has no exact code here: widen the range to include it, and round the zero point by itself.",
            ),
        ],
        hints=(
            "Zero must get a code of its own. What if `low` is above it?",
            "Widen the range to include 0, then scale, zero point, round, add, clip.",
            "`scale = (high - low) / 255`; `zero = round(-low / scale)`; `np.clip(np.round(x / scale) + zero, 0, 255)`.",
        ),
    ),
    Exercise(
        id="20.3",
        title="The latency that a promise needs",
        reference=tail_latency,
        cases=[
            Case(_TIMES, 3, 0.99),
            Case(_TIMES, 3, 0.5),
            Case(_TIMES[3:43], 0, 0.95),
            Case(_TIMES[3:43], 0, 0.53),
            Case(_TIMES[3:43], 0, 0.25),
            Case(_TIMES[3:43], 0, 0.26),
        ],
        mistakes=[
            Mistake(
                lambda t, w, q: t[w:].mean(),
                "That is the mean. It promises nothing to anybody: a few very slow answers hide in it, or spoil it.",
            ),
            Mistake(
                lambda t, w, q: t[w:].max(),
                "That is the slowest of all, which grows the longer you measure.",
            ),
            Mistake(
                lambda t, w, q: np.sort(t)[int(np.ceil(q * len(t))) - 1],
                "The warm-up calls are still among them. They pay for memory and caches once, and no later call does.",
            ),
            Mistake(
                lambda t, w, q: (s := np.sort(t[w:]))[min(int(np.ceil(q * len(s))), len(s) - 1)],
                "One place too far: Python counts from 0, so the k-th smallest is at `k - 1`.",
            ),
            Mistake(
                lambda t, w, q: t[w:].mean() + 2.33 * t[w:].std(),
                "That is the 99 % point of a bell curve. Latencies have a floor and a long tail: count instead.",
            ),
            Mistake(
                lambda t, w, q: t[w:][int(np.ceil(q * (len(t) - w))) - 1],
                "They are not sorted: you took the time of a late call.",
            ),
            Mistake(
                lambda t, w, q: np.quantile(t[w:], q),
                "`np.quantile` draws a line between two calls. That is a time which nobody measured, and fewer calls than the share may have kept it.",
            ),
            Mistake(
                lambda t, w, q: np.sort(t[w:])[int(q * len(t[w:])) - 1],
                "You rounded the rank down, so fewer than the share kept this time: round up.",
            ),
            Mistake(
                lambda t, w, q: np.sort(t[w:])[int(q * len(t[w:]))],
                "Right only where share · n is no whole number: round up, then subtract 1.",
            ),
            Mistake(
                lambda t, w, q: np.sort(t[w:])[round(q * len(t[w:])) - 1],
                "You rounded the rank to the nearest. Below one half that is down, and fewer than the share kept this time: round up.",
            ),
        ],
        hints=(
            "Leave the warm-up out. Then: how many of the times may be larger than the answer?",
            "Sort. The smallest time that at least the share of all calls kept is the k-th, with k = ceil(share · n).",
            "`np.sort(milliseconds[warmup:])[int(np.ceil(share * n)) - 1]`",
        ),
    ),
    Exercise(
        id="20.4",
        title="In which order?",
        reference="LBHPM",
        name="order_of_work",
        observe=_letters,
        mistakes=[
            Mistake(
                "BLHPM",
                "You read the whole body before asking how long it is. A sender of a terabyte has filled the memory by then: L before B.",
            ),
            Mistake(
                "LBPHM",
                "Decoded first, measured afterwards: the bomb has gone off. Width and height stand in the file's header; ask before P.",
            ),
            Mistake(
                "LHBPM",
                "Width and height stand inside the file, and the file is the body: it has to be read first.",
            ),
            Mistake(
                "LBHMP",
                "The model wants pixels, and before P there are none.",
            ),
            Mistake(
                "HLBPM",
                "Nothing of the file is here yet. What the request says of itself, its length, comes first.",
            ),
        ],
        hints=(
            "Each check belongs before the work that it limits.",
            "The length is known before the body, width and height before the pixels.",
            "L comes first, M last; H belongs between reading and decoding.",
        ),
    ),
    Exercise(
        id="20.5",
        title="A p-value by permutation",
        reference=p_value,
        cases=[Case(_POOLED[0], 12, _ORDERS), Case(_POOLED[1], 12, _ORDERS), Case(_BINARY, 6, _SMALL)],
        mistakes=[
            Mistake(
                _p_without_itself,
                "The grouping that was seen is one of the possible ones too. Without it a p-value can be 0, which no finite number of shuffles can show: add 1 above and below.",
            ),
            Mistake(
                _p_one_sided,
                "You asked only whether the window is *larger*. Pictures can get darker as well as brighter: take the absolute difference.",
            ),
            Mistake(
                _p_strict,
                "Equal counts as well: with `>` instead of `>=` ties count as proof, and the alarm rings too often.",
            ),
            Mistake(
                _p_wrong_tail,
                "The wrong tail: count the shuffles whose difference is at least as *large*. Yours is near 1 where something has changed.",
            ),
            Mistake(
                _p_within,
                'You shuffled one group and kept the other. Under "nothing changed" all pictures are alike, so a shuffle deals out all of them.',
            ),
        ],
        hints=(
            "If nothing has changed, who stands in which group is chance. Deal anew, many times.",
            "For each order: the difference of means of `pooled[order]`, split at n. How often is it as large as the one seen?",
            "`(1 + count) / (1 + len(orders))`, with `abs` and `>=`.",
        ),
    ),
    Exercise(
        id="20.6",
        title="The loss of distillation",
        reference=distillation_loss,
        cases=[
            Case(_STUDENT, _TEACHER, _LABELS, 2.0, 0.7),
            Case(_STUDENT, _TEACHER, _LABELS, 4.0, 0.5),
            Case(_TEACHER, _STUDENT, _LABELS, 3.0, 1.0),
        ],
        mistakes=[
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, w, factor=1.0),
                "Without temperature² the soft part fades: its gradients shrink with the square of the temperature.",
            ),
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, w, factor=T),
                "The gradient has one 1/T from the student's softmax and another from the softened difference: the factor is the *square* of the temperature.",
            ),
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, w, teacher_t=1.0),
                "The teacher is not softened. Both need the same temperature, else the student learns to be as sure at T as its teacher is at 1.",
            ),
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, w, turned=True),
                "The divergence is the wrong way round: weights are the teacher's probabilities, not the student's.",
            ),
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, w, mean=True),
                'You averaged over the classes as well (`reduction="mean"` does so, `"batchmean"` does not). Sum over the classes.',
            ),
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, 1 - w),
                "The weights are exchanged: `weight` belongs to the soft part.",
            ),
            Mistake(
                lambda s, t, y, T, w: _distil(s, t, y, T, w, hard_t=T),
                "The labels' part is softened too. Labels are for the student as it will be used, without temperature.",
            ),
            Mistake(
                partial(_distil_by, lambda s, p: F.kl_div(s.softmax(1), p, reduction="batchmean")),
                "`F.kl_div` wants *log*-probabilities first: `log_softmax`.",
            ),
            Mistake(
                partial(_distil_by, lambda s, p: F.kl_div(s.softmax(1), p, reduction="sum") / s.numel()),
                '`F.kl_div` wants *log*-probabilities first, and `reduction="batchmean"`, which does not average over the classes.',
            ),
            Mistake(
                partial(_distil_by, lambda s, p: F.kl_div(s.log_softmax(1), p.log(), reduction="batchmean")),
                "The logarithm of a negative number is NaN. The second argument of `F.kl_div` holds probabilities; logarithms need `log_target=True`.",
            ),
            Mistake(
                partial(_distil_by, F.cross_entropy),
                "Cross-entropy with the teacher's probabilities has the same gradient, but it is larger by the teacher's entropy. Take the KL divergence, which is 0 where the two agree.",
            ),
        ],
        hints=(
            "Two parts: the teacher's softened probabilities, and the labels.",
            "Soft: the KL divergence from the teacher's to the student's probabilities, both at logits / temperature.",
            "weight · T² · soft + (1 - weight) · cross-entropy of the unsoftened student.",
        ),
    ),
    Exercise(
        id="20.7",
        title="Prepare as the training did",
        reference=prepare_for,
        cases=[Case(_PICTURE, _MEAN, _STD), Case(_PICTURE[:, ::-1].copy() + 3, _MEAN, _STD)],
        mistakes=[
            Mistake(
                lambda x, m, s: prepare_for(np.asarray(x)[:, :, ::-1].copy(), m, s),
                "Red and blue are exchanged: some libraries read BGR. The symptom is a net that is a little worse and a picture that looks a little cold.",
            ),
            Mistake(
                lambda x, m, s: prepare_for(x, m, s).transpose(2, 3),
                "Rows and columns are exchanged: the picture lies on its side. (H, W, C) becomes (C, H, W).",
            ),
            Mistake(
                lambda x, m, s: prepare_for(x, (0.0,) * 3, s),
                "The mean is not subtracted. Everything is shifted to one side, and nothing warns.",
            ),
            Mistake(
                lambda x, m, s: prepare_for(x, tuple(v / 255 for v in m), s),
                "The mean was divided by 255 too; it is given for values from 0 to 1.",
            ),
            Mistake(
                lambda x, m, s: (
                    torch.as_tensor(np.asarray(x)).reshape(3, *np.shape(x)[:2])[None].float() / 255
                ),
                "`reshape` keeps the order of the bytes and mixes pixels with channels; `permute` moves the axes. The normalisation is missing as well.",
            ),
            Mistake(
                lambda x, m, s: prepare_for(x, m, (1.0,) * 3),
                "The deviation is missing: subtract the mean, then divide by the deviation.",
            ),
            Mistake(
                lambda x, m, s: prepare_for(np.asarray(x) * 255.0, m, s),
                "The bytes still run to 255, mean and deviation are given for 0 to 1: divide first.",
            ),
            Mistake(
                lambda x, m, s: prepare_for(x.reshape(3, *x.shape[:2]).transpose(1, 2, 0), m, s),
                "`reshape` cuts the row of numbers anew and mixes pixels with channels; `permute` moves the axes.",
            ),
            Mistake(
                lambda x, m, s: torch.tensor((x / 255 - np.array(m)) / np.array(s)).reshape(
                    1, 3, *x.shape[:2]
                ),
                "Each number is normalised rightly, and then `reshape` cuts their row anew: pixels and channels mix. `permute` moves the axes.",
            ),
        ],
        hints=(
            "Axes, range, constants. Which axis do the constants belong to?",
            "(H, W, 3) bytes → (1, 3, H, W) in 0 to 1; then each channel has its own mean and deviation.",
            "Give mean and std the shape (1, 3, 1, 1), and they fit themselves to the picture.",
        ),
    ),
]
