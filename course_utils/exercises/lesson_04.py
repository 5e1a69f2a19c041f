"""Exercises of lesson 04: what pooling computes, where its gradient goes, and what a shift does to it."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from course_utils.exercises.bank import Case, Exercise, Mistake


def period(strides):
    return math.prod(strides)


def shared_pixels(n, m):
    ends_inside_a_pixel = [i for i in range(1, m) if i * n % m]
    return len(ends_inside_a_pixel)


def max_pool(x, k, stride, padding):
    padded = np.pad(x, padding, constant_values=-np.inf)
    windows = sliding_window_view(padded, (k, k))[::stride, ::stride]
    return windows.max(axis=(2, 3))


def max_pool_gradient(x, upstream, k, stride):
    gradient = np.zeros_like(x)
    for i, j in np.ndindex(upstream.shape):
        top, left = i * stride, j * stride
        winner = x[top : top + k, left : left + k].argmax()
        gradient[top + winner // k, left + winner % k] += upstream[i, j]
    return gradient


def power_mean(window, p):
    largest = window.max()
    if largest == 0:
        return 0.0
    return largest * np.mean((window / largest) ** p) ** (1 / p)


def pair_consistency(logits):
    classes = logits.argmax(axis=2)
    shifts = len(classes)
    equal = classes[:, None] == classes[None]  # (shifts, shifts, N)
    pairs = equal.sum(axis=(0, 1)) - shifts  # a shift paired with itself does not count
    return (pairs / (shifts * (shifts - 1))).mean()


def blur_pool(x):
    weights = {-2: 1, -1: 4, 0: 6, 1: 4, 2: 1}
    for axis in (0, 1):
        x = sum(weight * np.roll(x, step, axis) for step, weight in weights.items()) / 16
    return x[::2, ::2]


def _routed(x, upstream, k, stride, share):
    gradient = np.zeros_like(x)
    for i, j in np.ndindex(upstream.shape):
        at = slice(i * stride, i * stride + k), slice(j * stride, j * stride + k)
        gradient[at] += upstream[i, j] * share(x[at])
    return gradient


def _first(window):
    share = np.zeros(window.size)
    share[window.argmax()] = 1
    return share.reshape(window.shape)


def _last(window):
    return _first(window[::-1, ::-1])[::-1, ::-1]


def _by_columns(window):
    return _first(window.T).T


def _overwritten(x, upstream, k, stride):
    gradient = np.zeros_like(x)
    for i, j in np.ndindex(upstream.shape):
        at = slice(i * stride, i * stride + k), slice(j * stride, j * stride + k)
        gradient[at] = np.where(_first(x[at]) > 0, upstream[i, j], gradient[at])
    return gradient


def _cornered(x, upstream, k, stride):
    gradient = np.zeros_like(x)
    for i, j in np.ndindex(upstream.shape):
        winner = x[i * stride : i * stride + k, j * stride : j * stride + k].argmax()
        gradient[winner // k, winner % k] += upstream[i, j]
    return gradient


def _naive(summary, window, p):
    with np.errstate(all="ignore"):
        return summary(window**p) ** (1 / p)


def _safe(summary, window, p):
    """An error for a window of zeros: so it is told whether or not the answer survives one."""
    with np.errstate(invalid="raise"):
        return window.max() * summary(window / window.max(), p)


def _by_len(window, p):
    return ((window**p).sum() / len(window)) ** (1 / p)


def _unbracketed(window, p):
    return np.mean(window**p) ** 1 / p


def _classes(logits):
    return logits.argmax(axis=2)


def _random(shape, seed):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


_SIX = [
    3,
    1,
    4,
    4,
    0,
    2,
    5,
    5,
    1,
    2,
    2,
    6,
    0,
    3,
    3,
    1,
    7,
    7,
    2,
    2,
    4,
    0,
    1,
    1,
    6,
    6,
    0,
    5,
    3,
    3,
    1,
    0,
    2,
    2,
    4,
    4,
]
_TIES = np.array(_SIX, dtype=float).reshape(6, 6)
_RIDGE = np.array([[0.0, 1, 9, 2, 0], [1, 5, 9, 5, 1], [0, 1, 2, 1, 0], [3, 3, 8, 8, 3], [0, 0, 1, 0, 2]])

_LOGITS = np.array(  # five shifts, four pictures, three classes
    [
        [[2.0, 1, 0], [0, 3, 1], [1, 0, 2], [5, 1, 0]],
        [[2.5, 1, 0], [0, 1, 3], [1, 0, 2], [5, 1, 0]],
        [[0.5, 1, 0], [0, 3, 1], [1, 0, 2], [4, 1, 0]],
        [[2.0, 1, 0], [2, 1, 1], [1, 3, 2], [5, 1, 0]],
        [[2.0, 1, 0], [0, 3, 1], [1, 0, 2], [3, 1, 0]],
    ]
)
_MORE_LOGITS = np.random.default_rng(4).standard_normal((3, 9, 4))
_LONE_LOGITS = np.random.default_rng(5).standard_normal((4, 1, 3))

_SUMMED = (
    "Before you drop positions, the weights must add up to 1, or a picture of one grey level gets brighter."
)

EXERCISES = [
    Exercise(
        id="04.1",
        title="Pool by hand",
        reference=[[[5, 0], [4, 7]], [[2, -2], [2, 2]]],
        name="pooled",
        mistakes=[
            Mistake(
                [[[2, -2], [2, 2]], [[5, 0], [4, 7]]],
                "The numbers are right, in the wrong order: asked for is the maximum first, then the average.",
            ),
            Mistake(
                [[[5, 4], [4, 7]], [[2, -2], [2, 2]]],
                "In the upper right window you took the largest size. The maximum of 0, -2, -4, -2 is 0: the sign counts.",
            ),
            Mistake(
                [[[5, 0], [4, 7]], [[8, -8], [8, 8]]],
                "Those are the sums. The average divides by the 4 numbers of the window.",
            ),
            Mistake(
                [[[5, 3, 0], [5, 7, 7], [4, 7, 7]], [[2, -0.5, -2], [2, 1, 0.5], [2, 3.5, 2]]],
                "You moved the window by 1. With stride 2 it moves by 2, and there are 2 × 2 outputs.",
            ),
            Mistake(
                [[[5, 4], [0, 7]], [[2, 2], [-2, 2]]],
                "Rows and columns are exchanged: the window goes to the right first.",
            ),
            Mistake(
                [[[5, 0], [4, 7]], [[2.5, 2], [2, 2.5]]],
                "The averages take negative numbers as positive. Average pooling adds them with their signs.",
            ),
            Mistake(
                [[5, 0], [4, 7]],
                "The maxima are right. The averages are asked for too: `[max, average]`.",
            ),
            Mistake(
                [[[-1, -4], [0, -1]], [[2, -2], [2, 2]]],
                "The first list holds the minima.",
            ),
        ],
        hints=(
            "The matrix falls into four windows of 2×2, side by side.",
            "For each window write down its largest number, and its sum divided by 4. Keep the signs.",
            "Upper left window: 1, 3, 5, -1: maximum 5, average 8 / 4.",
        ),
    ),
    Exercise(
        id="04.2",
        title="After which shift the answer returns",
        reference=period,
        cases=[Case([2, 2, 2]), Case([4, 2]), Case([2, 3, 2]), Case([1, 5, 1]), Case([2, 2, 1, 2, 2])],
        mistakes=[
            Mistake(
                lambda strides: sum(strides),
                "Strides do not add up: a step of 1 after the second halving is 2 steps after the first, and 4 pixels.",
            ),
            Mistake(
                lambda strides: max(strides),
                "That looks at one layer only. What moved by the stride of the first has moved by 1 at its output, and meets the next layer.",
            ),
            Mistake(
                lambda strides: math.lcm(*strides),
                "The layers do not run side by side, so the common multiple is too small: the second halving sees what the first has left.",
            ),
            Mistake(
                lambda strides: 2 ** len(strides),
                "That is right if every stride is 2. Here the strides differ.",
            ),
            Mistake(
                lambda strides: len(strides),
                "That counts the layers. How far must the input move for the last output to move by 1?",
            ),
            Mistake(
                lambda strides: math.prod(strides) - 1,
                "That many shifts above 0 change the answer. It returns with the next one.",
            ),
            Mistake(
                lambda strides: math.prod(strides) // 2,
                "At half the way the last halving still meets other pixels.",
            ),
        ],
        hints=(
            "Go back from the end: the last output moves by 1. By how much has its input moved?",
            "Each layer multiplies the shift by its stride on the way back.",
            "For halvings only it is 2 · 2 · 2 = 8, as in the figure. Take the strides as they are.",
        ),
    ),
    Exercise(
        id="04.3",
        title="Where adaptive windows overlap",
        reference=shared_pixels,
        cases=[Case(10, 4), Case(10, 5), Case(7, 3), Case(7, 7), Case(12, 8), Case(9, 1), Case(100, 6)],
        mistakes=[
            Mistake(
                lambda n, m: n % m,
                "The remainder is what is left over when windows tile. Here they overlap: look at each border between two windows.",
            ),
            Mistake(
                lambda n, m: m - 1 if n % m else 0,
                "Not every border lies inside a pixel. With 12 pixels and 8 windows, window 2 (counted from 0) begins at 2 · 12 / 8 = 3, a whole number.",
            ),
            Mistake(
                lambda n, m: m - 1,
                "That is the number of borders between windows. Where a border falls between two pixels, nothing is shared.",
            ),
            Mistake(
                lambda n, m: 0,
                "Windows share pixels where m does not divide n: one ends at a rounded-up border, the next begins at the rounded-down one.",
            ),
            Mistake(
                lambda n, m: 1 if n % m else 0,
                "There is more than one border, and each can lie inside a pixel.",
            ),
            Mistake(
                lambda n, m: sum(1 for i in range(1, m) if i * n % m) * 2,
                "A shared pixel lies in two windows, and it is one pixel. Count it once.",
            ),
            Mistake(
                lambda n, m: math.gcd(n, m) - 1,
                "Those are the borders that share nothing. The others are asked for.",
            ),
            Mistake(
                lambda n, m: m - math.gcd(n, m) + 1 if n % m else 0,
                "One too many: the end of the last window is no border between two.",
            ),
        ],
        hints=(
            "Between m windows there are m - 1 borders, at i · n / m. When does a border cut a pixel in two?",
            "Where i · n / m is not a whole number, the pixel there belongs to both windows.",
            "Count the i from 1 to m - 1 for which `i * n % m` is not 0.",
        ),
    ),
    Exercise(
        id="04.4",
        title="Max pooling, padded",
        reference=max_pool,
        cases=[
            Case(-1 - np.abs(_random((5, 7), 1)), 3, 2, 1),
            Case(_random((6, 6), 2), 2, 2, 0),
            Case(1000 * (_random((8, 5), 3) - 6), 3, 1, 1),
            Case(_random((7, 9), 4) - 6, 2, 3, 1),
        ],
        mistakes=[
            Mistake(
                lambda x, k, stride, padding: sliding_window_view(np.pad(x, padding), (k, k))[
                    ::stride, ::stride
                ].max((2, 3)),
                "Zeros as padding win over negative numbers. A pixel that does not exist may never win: pad with `-np.inf`.",
            ),
            Mistake(
                lambda x, k, stride, padding: max_pool(x, k, k, padding),
                "You moved the window by k. It moves by `stride`, which may differ.",
            ),
            Mistake(
                lambda x, k, stride, padding: max_pool(x, k, 1, padding),
                "You moved the window by 1. Keep every `stride`-th position only.",
            ),
            Mistake(
                lambda x, k, stride, padding: max_pool(x, k, stride, 0),
                "The padding is missing, so the windows begin inside the picture.",
            ),
            Mistake(
                lambda x, k, stride, padding: sliding_window_view(
                    np.pad(x, ((0, padding), (0, padding)), constant_values=-np.inf), (k, k)
                )[::stride, ::stride].max((2, 3)),
                "You padded at the right and at the bottom only. Padding goes to all four sides.",
            ),
            Mistake(
                lambda x, k, stride, padding: sliding_window_view(np.pad(x, padding, mode="edge"), (k, k))[
                    ::stride, ::stride
                ].mean((2, 3)),
                "That is average pooling. Take the maximum of each window.",
            ),
            Mistake(
                lambda x, k, stride, padding: -max_pool(-x, k, stride, padding),
                "That is the minimum of each window.",
            ),
            Mistake(
                lambda x, k, stride, padding: max_pool(np.abs(x), k, stride, padding),
                "You took the largest size. Max pooling keeps the sign: -1 beats -5.",
            ),
            Mistake(
                lambda x, k, stride, padding: max_pool(x, k, stride, padding)[:-1, :-1],
                "The last row and column are missing: (n + 2 · padding - k) // stride + 1 windows fit, not one fewer.",
            ),
            Mistake(
                lambda x, k, stride, padding: max_pool(x, k, stride, padding)[
                    : (len(x) - k) // stride + 1, : (x.shape[1] - k) // stride + 1
                ],
                "You counted the windows on the bare picture. Count them on the padded one, n + 2 · padding.",
            ),
            Mistake(
                lambda x, k, stride, padding: np.maximum(max_pool(x, k, stride, padding), 0),
                "A maximum that starts at 0 never gets negative. Start at `-np.inf`.",
            ),
        ],
        hints=(
            "Which number can be padded so that it never wins?",
            "Pad with `-np.inf` on all four sides, lay out the windows, keep every stride-th, take the maximum of each.",
            "`sliding_window_view(padded, (k, k))[::stride, ::stride]` has the windows in its last two axes.",
        ),
    ),
    Exercise(
        id="04.5",
        title="The winner's gradient",
        reference=max_pool_gradient,
        cases=[
            Case(_RIDGE, np.array([[1.0, 2], [3, 4]]), 3, 2),
            Case(_TIES, np.array([[1.0, -2, 3], [4, 5, -6], [7, 8, 9]]), 2, 2),
            Case(_TIES - 9, np.arange(1.0, 26).reshape(5, 5), 2, 1),
            Case(np.array([[0.0, 7, 1, 2], [7, 0, 2, 1]]), np.array([[5.0, 3]]), 2, 2),  # ties on a diagonal
        ],
        mistakes=[
            Mistake(
                _overwritten,
                "Windows overlap: a number that wins twice gets both gradients. Add (`+=`), do not overwrite.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: (w == w.max()).astype(float)),
                "On a tie you give the whole gradient to each winner. It goes to the first alone; else the gradient grows on its way.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: (w == w.max()) / (w == w.max()).sum()),
                "On a tie you split the gradient. That is what `amax` does; `max_pool2d` gives all to the first.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: np.full(w.shape, 1 / w.size)),
                "That is the gradient of the average.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: _first(w) * (w.max() > 0)),
                "A search that starts at 0 finds no maximum among negative numbers. Start at `-np.inf`, or use `argmax`.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, _last),
                "On a tie you take the last of the equal numbers. The first wins, as `argmax` finds it.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, _by_columns),
                "On a tie you search column by column. The first is the first row by row.",
            ),
            Mistake(
                lambda x, g, k, s: max_pool_gradient(x, np.ones_like(g), k, s),
                "The winner gets 1, whatever comes from above. Multiply by the window's entry of `upstream` (the chain rule).",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: _first(w) * w),
                "You passed the winner's value on. The gradient of y = x is 1, not x.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: _first(-w)),
                "The gradient goes to the smallest number of the window.",
            ),
            Mistake(
                _cornered,
                "`argmax` counts from the corner of the window. Add the window's own row and column in the picture.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, k, _first),
                "The windows begin `stride` apart, not k apart.",
            ),
            Mistake(
                lambda x, g, k, s: _routed(x, g, k, s, lambda w: _first(w).T),
                "Row and column are exchanged: `argmax` counts row by row, so `// k` is the row.",
            ),
        ],
        hints=(
            "Go through the outputs one by one. Which single input made this one?",
            "Start with zeros. For each window find the place of its maximum, and add the output's gradient there.",
            "`x[top : top + k, left : left + k].argmax()` counts row by row: its row is `// k`, its column `% k`.",
        ),
    ),
    Exercise(
        id="04.6",
        title="From average to maximum",
        reference=power_mean,
        cases=[
            Case(np.array([1.0, 2, 3, 6]), 1),
            Case(np.array([[1.0, 2], [3, 6]]), 3),
            Case(np.array([[0.5, 20], [7, 9.0]]), 500),
            Case(np.zeros((2, 2)), 2),
            Case(np.array([0.001, 0.002, 0.003]), 500),
        ],
        mistakes=[
            Mistake(
                lambda w, p: _naive(np.mean, w, p),
                "Right for small p. At p = 500 the powers leave the range of floats, up or down. Divide by the largest number first, multiply by it at the end.",
            ),
            Mistake(
                lambda w, p: _naive(np.sum, w, p),
                "Two things. The powers are averaged, not summed, and at p = 500 they leave the range of floats: divide by the largest number first.",
            ),
            Mistake(
                lambda w, p: _naive(np.mean, w, p) ** p,
                "The root is missing: raise the mean of the powers to 1 / p. (And mind p = 500.)",
            ),
            Mistake(
                lambda w, p: power_mean(w, p) * w.size ** (1 / p),
                "That is the sum, as `lp_pool2d` takes it. Here the powers are averaged: divide by n inside the root.",
            ),
            Mistake(
                lambda w, p: power_mean(w, p) * w.size ** (1 / p) / w.size,
                "The 1/n stands inside the root, with the sum of powers. You divided after the root.",
            ),
            Mistake(
                lambda w, p: np.mean(w),
                "That is the average for every p.",
            ),
            Mistake(
                lambda w, p: np.max(w),
                "That is the limit for p without end. For p = 1 it must be the average.",
            ),
            Mistake(
                lambda w, p: power_mean(w, p) / w.max() if w.max() else 0.0,
                "You divided by the largest number and did not multiply by it at the end.",
            ),
            Mistake(
                lambda w, p: np.mean((w / w.max()) ** p) ** (1 / p) * w.max() if w.max() else np.nan,
                "A window of zeros, common after a ReLU, gives 0 / 0 here. Its power mean is 0.",
            ),
            Mistake(
                lambda w, p: power_mean(w.max(axis=-1), p),
                "A window with two axes is one window: take the mean over all its numbers.",
            ),
            Mistake(
                lambda w, p: _naive(lambda powers: powers.sum() / len(powers), w, p),
                "Two things. `len` counts the rows of a window with two axes, and n is `window.size`. And at p = 500 the powers leave the range of floats: divide by the largest number first.",
            ),
            Mistake(
                lambda w, p: _safe(_by_len, w, p),
                "`len` counts the rows of a window with two axes. n is `window.size`.",
            ),
            Mistake(
                lambda w, p: _naive(np.mean, w, p) ** p / p,
                "Two things. `** 1/p` raises to 1 and divides by p: write `** (1 / p)`. And at p = 500 the powers leave the range of floats: divide by the largest number first.",
            ),
            Mistake(
                lambda w, p: _safe(_unbracketed, w, p),
                "`** 1/p` raises to 1 and divides by p. Write `** (1 / p)`.",
            ),
        ],
        hints=(
            "Where does `20.0**500` go? And `0.002**500`?",
            "Take the largest number out of the root: x = largest · (x / largest). What is left lies between 0 and 1.",
            "`largest * np.mean((window / largest) ** p) ** (1 / p)`, and one line for a window of zeros.",
        ),
    ),
    Exercise(
        id="04.7",
        title="Consistency by pairs",
        reference=pair_consistency,
        cases=[Case(_LOGITS), Case(_MORE_LOGITS), Case(_LONE_LOGITS)],
        mistakes=[
            Mistake(
                lambda logits: (_classes(logits) == _classes(logits)[0]).all(axis=0).mean(),
                "That is the lesson's consistency: all shifts must agree. Here each pair of shifts counts on its own.",
            ),
            Mistake(
                lambda logits: (_classes(logits)[:, None] == _classes(logits)[None]).mean(),
                "You counted each shift paired with itself, which always agrees. Leave those pairs out.",
            ),
            Mistake(
                lambda logits: (_classes(logits)[1:] == _classes(logits)[:-1]).mean(),
                "Those are neighbouring shifts only. All pairs of two different shifts count.",
            ),
            Mistake(
                lambda logits: (_classes(logits)[1:] == _classes(logits)[0]).mean(),
                "Those are pairs with the first shift only. All pairs count.",
            ),
            Mistake(
                lambda logits: np.mean(
                    [
                        a == b
                        for i, a in enumerate(logits.argmax(1).T)
                        for j, b in enumerate(logits.argmax(1).T)
                        if i != j
                    ]
                ),
                "The classes are the last axis. You took the argmax over the pictures.",
            ),
            Mistake(
                lambda logits: 1 - pair_consistency(logits),
                "That is how often a pair disagrees.",
            ),
            Mistake(
                lambda logits: pair_consistency(logits) * logits.shape[1],
                "Take the mean over the pictures, not their sum.",
            ),
            Mistake(
                lambda logits: pair_consistency(logits) / 2,
                "With pairs counted once, there are S (S - 1) / 2 of them. You divided by all ordered pairs.",
            ),
            Mistake(
                lambda logits: np.mean(
                    [a == b for i, a in enumerate(_classes(logits)) for b in _classes(logits)[i:]]
                ),
                "You paired each shift with itself, which always agrees. Begin at i + 1.",
            ),
        ],
        hints=(
            "First the predicted class at each shift, (shifts, N). Then compare shifts with shifts.",
            "Compare each shift with each other one by broadcasting; leave out a shift paired with itself.",
            "With S shifts, `(equal.sum((0, 1)) - S) / (S * (S - 1))` for each picture.",
        ),
    ),
    Exercise(
        id="04.8",
        title="Blur, then drop",
        reference=blur_pool,
        cases=[Case(_random((6, 8), 6)), Case(np.eye(8)), Case(_random((10, 6), 7))],
        mistakes=[
            Mistake(
                lambda x: x[::2, ::2],
                "That drops without a blur, as stride 2 does.",
            ),
            Mistake(
                lambda x: _ring(x[::2, ::2]),
                "You dropped first and blurred then. What was dropped cannot come back: blur the full picture.",
            ),
            Mistake(
                lambda x: _ring(x, (1, 2, 1))[::2, ::2],
                "That is the lesson's blur with 1, 2, 1. Asked for is the wider one with 1, 4, 6, 4, 1.",
            ),
            Mistake(
                lambda x: 256 * blur_pool(x),
                f"The weights add up to 256. {_SUMMED}",
            ),
            Mistake(
                lambda x: 16 * blur_pool(x),
                f"You divided by 16 once, for two axes. {_SUMMED}",
            ),
            Mistake(
                lambda x: _ring(x),
                "The blur is right. Now keep every second row and column.",
            ),
            Mistake(
                lambda x: _ring(x.T, axes=(1,)).T[::2, ::2],
                "The rows are blurred into each other, the columns are not. Blur along both axes.",
            ),
            Mistake(
                lambda x: _ring(x, axes=(1,))[::2, ::2],
                "The columns are blurred into each other, the rows are not. Blur along both axes.",
            ),
            Mistake(
                lambda x: _ring(x, (1, 1, 1, 1, 1))[::2, ::2],
                "Those are equal weights. The blur 1, 4, 6, 4, 1 counts the middle most.",
            ),
            Mistake(
                lambda x: _ring(x)[1::2, 1::2],
                "You kept rows and columns 1, 3, 5, … Asked for are 0, 2, 4, …",
            ),
            Mistake(
                lambda x: _ring(x, mode="constant")[::2, ::2],
                "You padded with zeros. The picture closes to a ring: beyond its last column comes its first (`np.roll`).",
            ),
            Mistake(
                lambda x: _ring(x, mode="edge")[::2, ::2],
                "You repeated the border. The picture closes to a ring: beyond its last column comes its first (`np.roll`).",
            ),
            Mistake(
                lambda x: _ring(x, mode="reflect")[::2, ::2],
                "You reflected at the border, as Zhang's code does. Here the picture closes to a ring (`np.roll`).",
            ),
            Mistake(
                lambda x: x.reshape(len(x) // 2, 2, x.shape[1] // 2, 2).mean((1, 3)),
                "That is average pooling of 2×2: a blur with 1, 1.",
            ),
            Mistake(
                lambda x: x.reshape(len(x) // 2, 2, x.shape[1] // 2, 2).max((1, 3)),
                "That is max pooling of 2×2. Nothing is blurred.",
            ),
            Mistake(
                lambda x: _ring(x, mode="symmetric")[::2, ::2],
                'You mirror at the border, SciPy\'s default. The picture closes to a ring: `mode="wrap"`.',
            ),
            Mistake(
                lambda x: _ring(np.roll(x, (2, 2), (0, 1)))[::2, ::2],
                "Rolls from 0 to 4 move the picture by two pixels. Roll from -2 to 2.",
            ),
        ],
        hints=(
            "Two steps, in this order: blur the whole picture, then drop.",
            "`np.roll(x, 1, axis=0)` is the picture moved by one row, on the ring. Combine five of them for each axis.",
            "Along axis 0: roll by -2 to 2, times 1, 4, 6, 4, 1, added, divided by 16; the same along axis 1; then `[::2, ::2]`.",
        ),
    ),
]


def _ring(x, weights=(1, 4, 6, 4, 1), axes=(0, 1), mode="wrap"):
    half = len(weights) // 2
    for axis in axes:
        padding = [(half, half) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(x, padding, mode=mode)
        x = np.tensordot(sliding_window_view(padded, len(weights), axis), weights, 1) / sum(weights)
    return x
