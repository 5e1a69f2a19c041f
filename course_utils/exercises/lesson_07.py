"""Exercises of lesson 07: gradients by hand, backward passes, initialisation, checkpoints, accumulation."""

import math

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def scale_backward(dy, x, scale):
    return dy * scale[:, None, None], (dy * x).sum((0, 2, 3))


def tempered_backward(logits, targets, temperature):
    z = logits / temperature
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(len(targets)), targets] -= 1
    return p / temperature / len(targets)


def normalise_backward(dy, x):
    norm = np.sqrt((x**2).sum(1, keepdims=True))
    y = x / norm
    return (dy - y * (dy * y).sum(1, keepdims=True)) / norm


def first_std(c_in, kernel, slope):
    fan_in = c_in * kernel**2
    return math.sqrt(2 / ((1 + slope**2) * fan_in))


def least_kept(layers):
    return min(s - 1 + layers // s for s in range(1, layers + 1) if layers % s == 0)


def whole_batch(gradients, sizes):
    return sum(g * n for g, n in zip(gradients, sizes, strict=True)) / sum(sizes)


def _softmax(z):
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def _hot(logits, targets):
    return np.eye(logits.shape[1])[targets]


def _exp(z, keepdims):
    return np.exp(z - z.max(axis=1, keepdims=keepdims))


def _off_rows(logits, targets, temperature):
    p = _softmax(logits / temperature)
    p[targets] -= 1
    return p / temperature / len(targets)


def _norm(x):
    return np.sqrt((x**2).sum(1, keepdims=True))


def _by_norm(dy, x, norm, keepdims):
    return (dy - x / norm * (dy * x / norm).sum(1, keepdims=keepdims)) / norm


def _normal(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).round(2)


# Channels, height and width are equal in one case, where only then a mistake runs at all.
_SCALES = [
    Case(_normal((2, 3, 4, 5), 1), _normal((2, 3, 4, 5), 2), np.array([1.5, -2.0, 0.5])),
    Case(_normal((3, 2, 2, 2), 3), _normal((3, 2, 2, 2), 4), np.array([3.0, -1.0])),
]
_LOGITS = [
    Case(_normal((3, 4), 5) * 3, np.array([0, 3, 2]), 2.0),
    Case(_normal((4, 4), 6) * 3, np.array([1, 1, 0, 3]), 0.5),
]
_ROWS = [Case(_normal((3, 4), 7), _normal((3, 4), 8) * 2), Case(_normal((4, 4), 9), _normal((4, 4), 10))]
_PARTS = [
    Case(np.array([[1.0, -2.0], [4.0, 2.0]]), np.array([3, 1])),
    Case(np.array([[[2.0]], [[5.0]], [[-1.0]]]), np.array([32, 32, 6])),
]

EXERCISES = [
    Exercise(
        id="07.1",
        title="Two paths, by hand",
        reference=[9, 7, 2],
        name="gradient",
        mistakes=[
            Mistake(
                [3, 7, 2],
                "∂f/∂a has only one of its two paths: through relu. The other goes through a + b and brings relu(a · c).",
            ),
            Mistake(
                [6, 7, 2],
                "∂f/∂a has only one of its two paths: through a + b. The other goes through relu and brings (a + b) · c.",
            ),
            Mistake([9, 6, 2], "∂f/∂b lacks the path of the last term: b is added once more, with slope 1."),
            Mistake(
                [9, 1, 2],
                "∂f/∂b has only the path of the last term. b is also in a + b, which is multiplied by relu(a · c).",
            ),
            Mistake(
                [9, 7, 1],
                "∂f/∂c lacks one factor. Its path goes through a · c: the slope there is a = 2, then a + b = 1 from the product.",
            ),
            Mistake(
                [9, 7, 6],
                "∂f/∂c is not relu(a · c). The product passes (a + b) back to the relu, and a · c passes on a.",
            ),
            Mistake(
                [6, 7, 0],
                "You took the relu's slope as 0. Its input is a · c = 6, above zero, so its slope is 1.",
            ),
            Mistake(
                [7, 7, 2],
                "∂f/∂a: the path through relu brings (a + b) · c = 3, not 1; the slope of a · c by a is c.",
            ),
            Mistake(
                [18, 7, 2],
                "Paths add up, slopes along a path multiply. a has two paths, with 6 and 3: you multiplied them.",
            ),
            Mistake(
                [3, 1, 2],
                "a and b have two paths each, and you followed one. The other goes through a + b and brings relu(a · c) = 6.",
            ),
            Mistake(5, "That is the value of f. Asked for are its three gradients."),
        ],
        hints=(
            "Draw the graph. How many paths lead from f down to a, to b, to c?",
            "Name p = a + b and r = relu(a · c). A product p · r passes r to p, and p to r.",
            "a: r + p · c. b: r + 1. c: p · a. With p = 1 and r = 6.",
        ),
    ),
    Exercise(
        id="07.2",
        title="The backward pass of a scale",
        reference=scale_backward,
        cases=_SCALES,
        mistakes=[
            Mistake(
                lambda dy, x, scale: (dy * scale[:, None, None], (dy * x).sum((2, 3))),
                "`dscale` is not summed over the batch: its shape must be that of `scale`. Every picture used the same number.",
            ),
            Mistake(
                lambda dy, x, scale: (
                    dy * scale[:, None, None],
                    (dy * x).sum((0, 2, 3), keepdims=True),
                ),
                "`keepdims` leaves axes of length 1. A gradient has the shape of what it belongs to: `scale` has (C,).",
            ),
            Mistake(
                lambda dy, x, scale: (dy * scale[:, None, None], (dy * x).mean((0, 2, 3))),
                "What is copied forward is summed backward, not averaged. The division belongs to the loss, if it is a mean.",
            ),
            Mistake(
                lambda dy, x, scale: (dy * scale[:, None, None], dy.sum((0, 2, 3))),
                "`dscale` lacks x: that is the gradient of a bias. The slope of x · scale by scale is x.",
            ),
            Mistake(
                lambda dy, x, scale: (dy, (dy * x).sum((0, 2, 3))),
                "`dx` lacks the scale: the slope of x · scale by x is scale.",
            ),
            Mistake(
                lambda dy, x, scale: (dy * scale, (dy * x).sum((0, 2, 3))),
                "`dy * scale` lines the scale up with the last axis, the columns. The channels need `scale[:, None, None]`.",
            ),
            Mistake(
                lambda dy, x, scale: (dy / scale[:, None, None], (dy * x).sum((0, 2, 3))),
                "You divided by the scale. The backward pass does not undo the forward pass; it multiplies by the same slope.",
            ),
            Mistake(
                lambda dy, x, scale: (dy * scale[:, None, None], (dy * x).sum((0, 1, 2))),
                "`dscale` is summed over the channels and kept for the columns. Keep axis 1, sum the other three.",
            ),
            Mistake(
                lambda dy, x, scale: (
                    dy * scale[:, None, None],
                    (dy * x * scale[:, None, None]).sum((0, 2, 3)),
                ),
                "`dscale` has the scale itself in it: you used y where x belongs. The slope of x · scale by scale is x.",
            ),
            Mistake(
                lambda dy, x, scale: ((dy * x).sum((0, 2, 3)), dy * scale[:, None, None]),
                "Both are right, but in the wrong order: return `dx`, then `dscale`.",
            ),
            Mistake(
                lambda dy, x, scale: dy * scale[:, None, None],
                "`dx` is right. `dscale` is missing: return both.",
            ),
        ],
        hints=(
            "`scale` is copied: to every picture, row and column. What happens backward to what is copied forward?",
            "dx has the shape of x, dscale that of scale. Multiply by the slope first, then sum whatever axis is too many.",
            "dx is dy times the scale, as in the forward pass; dscale is dy times x, summed over axes 0, 2 and 3.",
        ),
    ),
    Exercise(
        id="07.3",
        title="Cross-entropy at a temperature",
        reference=tempered_backward,
        cases=_LOGITS,
        mistakes=[
            Mistake(
                lambda z, t, T: (_softmax(z / T) - _hot(z, t)) / len(t),
                "The chain rule has one more link: logits / temperature has the slope 1 / temperature.",
            ),
            Mistake(
                lambda z, t, T: (_softmax(z / T) - _hot(z, t)) * T / len(t),
                "You multiplied by the temperature. The slope of logits / temperature is 1 / temperature.",
            ),
            Mistake(
                lambda z, t, T: (_softmax(z / T) - _hot(z, t)) / T,
                "The loss is a mean over the batch: each row counts 1 / N.",
            ),
            Mistake(
                lambda z, t, T: (_softmax(z / T) - _hot(z, t)) / T / z.size,
                "You divided by N · K. The mean is over the N pictures; the classes are summed.",
            ),
            Mistake(
                lambda z, t, T: (_softmax(z) - _hot(z, t)) / T / len(t),
                "The softmax is taken without the temperature. It has to be the one of the forward pass.",
            ),
            Mistake(
                lambda z, t, T: (_hot(z, t) - _softmax(z / T)) / T / len(t),
                "The sign is turned: that is the direction in which the loss falls. The gradient points uphill.",
            ),
            Mistake(
                lambda z, t, T: _softmax(z / T) / T / len(t),
                "The one-hot target is missing: at the true class, 1 is subtracted.",
            ),
            Mistake(
                lambda z, t, T: (_softmax(z) - _hot(z, t)) / len(t),
                "That is the gradient without any temperature.",
            ),
            Mistake(
                lambda z, t, T: _softmax(z / T) - _hot(z, t),
                "Two factors are missing: 1 / N from the mean, 1 / temperature from the division.",
            ),
            Mistake(
                lambda z, t, T: (
                    (np.exp(z / T) / np.exp(z / T).sum(0, keepdims=True) - _hot(z, t)) / T / len(t)
                ),
                "The softmax is taken down the batch. Each row is one picture: sum over axis 1.",
            ),
            Mistake(
                lambda z, t, T: (_exp(z / T, True) / _exp(z / T, True).sum(axis=1) - _hot(z, t)) / T / len(t),
                "A sum over axis 1 has the shape (N,), and NumPy lines it up with the columns. `keepdims=True` keeps it a column.",
            ),
            Mistake(
                lambda z, t, T: (np.exp(z / T) / np.exp(z / T).sum(axis=1) - _hot(z, t)) / T / len(t),
                "`e.sum(axis=1)` loses its axis: column j is divided by the sum of row j. Keep the axis with `keepdims=True`.",
            ),
            Mistake(
                lambda z, t, T: (
                    (_exp(z / T, False) / _exp(z / T, False).sum(axis=1) - _hot(z, t)) / T / len(t)
                ),
                "The maximum and the sum of a row both have the shape (N,) and meet the columns. Both need `keepdims=True`.",
            ),
            Mistake(
                lambda z, t, T: (_softmax(z / T) - np.isin(np.arange(z.shape[1]), t)) / T / len(t),
                "That takes 1 off in these columns for every picture. Pair rows with columns: `p[np.arange(N), targets]`.",
            ),
            Mistake(
                _off_rows,
                "`p[targets]` picks rows, that is pictures. The class is the column: `p[np.arange(N), targets]`.",
            ),
        ],
        hints=(
            "Put a name in between: z = logits / temperature. What is the gradient by z, and what is the slope of z?",
            "By z it is (softmax(z) - one-hot) / N. The chain rule adds one factor.",
            "Softmax of the divided logits; subtract 1 at each target; divide by N and by the temperature.",
        ),
    ),
    Exercise(
        id="07.4",
        title="The backward pass of a normalisation",
        reference=normalise_backward,
        cases=_ROWS,
        mistakes=[
            Mistake(
                lambda dy, x: dy / _norm(x),
                "That takes the norm for a constant. It depends on x too: a second path, which brings a second term.",
            ),
            Mistake(
                lambda dy, x: dy / np.linalg.norm(x),
                "That is one norm for the whole array, and taken for a constant. Each row has its own (axis 1), and it depends on x.",
            ),
            Mistake(
                lambda dy, x: dy - x / _norm(x) * (dy * x / _norm(x)).sum(1, keepdims=True),
                "The direction is right; the division by the norm is missing. A long x turns less for the same nudge.",
            ),
            Mistake(
                lambda dy, x: (dy + x / _norm(x) * (dy * x / _norm(x)).sum(1, keepdims=True)) / _norm(x),
                "The sign of the second term is turned: 1 / norm falls where the norm grows.",
            ),
            Mistake(
                lambda dy, x: (dy - x * (dy * x).sum(1, keepdims=True)) / _norm(x),
                "The second term uses x where y = x / norm belongs, twice.",
            ),
            Mistake(
                lambda dy, x: (dy - x / _norm(x) * (dy * x / _norm(x)).sum(0, keepdims=True)) / _norm(x),
                "The inner product is summed down the batch. Each row has a norm of its own: axis 1.",
            ),
            Mistake(
                lambda dy, x: (dy - x / _norm(x) * (dy * x / _norm(x)).mean(1, keepdims=True)) / _norm(x),
                "The second term takes a mean; the norm is made of a sum, so it is the sum of dy · y.",
            ),
            Mistake(
                lambda dy, x: (dy - dy.mean(1, keepdims=True)) / _norm(x),
                "That is the backward pass of taking out the mean (as in batch normalisation). Here the length is taken out.",
            ),
            Mistake(
                lambda dy, x: (dy - (x / _norm(x)) * dy * (x / _norm(x))) / _norm(x),
                "The sum is missing: every entry of a row moves its norm, and through it every other entry.",
            ),
            Mistake(
                lambda dy, x: (dy - x / _norm(x) * (dy * x / _norm(x)).sum(1, keepdims=True)) / _norm(x) ** 2,
                "Divided by the norm once too often.",
            ),
            Mistake(
                lambda dy, x: (dy - x / _norm(x) * (dy * x).sum(1, keepdims=True)) / _norm(x),
                "The second term lacks one division by the norm: x stands in it twice, and both must be y = x / norm.",
            ),
            Mistake(
                lambda dy, x: _by_norm(dy, x, _norm(x)[:, 0], True),
                "The norm of each row has the shape (N,), and NumPy lines it up with the columns. `keepdims=True` keeps it a column.",
            ),
            Mistake(
                lambda dy, x: _by_norm(dy, x, _norm(x), False),
                "The norm is a column, the sum of dy · y is not: it has the shape (N,) and meets the columns. Keep its axis too.",
            ),
            Mistake(
                lambda dy, x: _by_norm(dy, x, _norm(x)[:, 0], False),
                "Two sums over axis 1 lose their axis, the norm and that of dy · y, and meet the columns. Both need `keepdims=True`.",
            ),
        ],
        hints=(
            "x reaches y on two paths: directly, and through the norm. Write the slope of each.",
            "The norm's slope is x / norm = y. Which part of dy can move y at all, if y always has length 1?",
            "Take out of dy its part along y, `y * (dy * y).sum(1, keepdims=True)`, and divide by the norm.",
        ),
    ),
    Exercise(
        id="07.5",
        title="Initialisation for leaky ReLU",
        reference=first_std,
        cases=[Case(16, 3, 0.0), Case(16, 3, 0.2), Case(3, 5, 0.5), Case(64, 1, 1.0)],
        mistakes=[
            Mistake(
                lambda c, k, s: math.sqrt(2 / (c * k * k)),
                "That is He's choice for ReLU. A slope below zero lets more through, so the weights can be smaller.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(1 / (c * k * k)),
                "That is Xavier's choice: right for slope 1, where nothing is cut off, and too small below it.",
            ),
            Mistake(
                lambda c, k, s: 2 / ((1 + s * s) * c * k * k),
                "That is the variance. The standard deviation is its root.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 / ((1 + s) * c * k * k)),
                "The slope counts squared: what is kept is the mean of squares.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 / ((1 + s * s) * c * k)),
                "The fan-in is c_in · kernel · kernel: a patch is two-dimensional.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 / ((1 + s * s) * c)),
                "The fan-in counts the kernel's places too: c_in · kernel · kernel.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 / ((1 + s * s) * k * k)),
                "The fan-in counts the input channels too: c_in · kernel · kernel.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt((1 + s * s) / (2 * c * k * k)),
                "Upside down: if the activation halves the squares, the weights must double them.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(1 / ((1 + s * s) * c * k * k)),
                "A factor 2 is missing: only half of the numbers are positive, and only they pass whole.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 / (c * k * k)) / (1 + s * s),
                "The root covers the slope as well: 2 / ((1 + slope²) · fan-in), all of it under the root.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 / (1 + s * s) * c * k * k),
                "Python multiplies by what follows the `/`. Put brackets around the whole denominator.",
            ),
            Mistake(
                lambda c, k, s: math.sqrt(2 * (1 + s * s) / (c * k * k)),
                "The slope stands on the wrong side: it lets more through, so the weights get smaller.",
            ),
        ],
        hints=(
            "How much of the mean square does leaky ReLU leave? Half of the numbers pass whole; what about the other half?",
            "E[leaky(z)²] = (1 + slope²) / 2 · E[z²], and E[z²] = fan-in · variance · E[x²]. Set the product to 1.",
            "The square root of 2 / ((1 + slope²) · c_in · kernel²).",
        ),
    ),
    Exercise(
        id="07.6",
        title="The best number of segments",
        reference=least_kept,
        cases=[Case(64), Case(36), Case(12), Case(50), Case(7)],
        mistakes=[
            Mistake(
                lambda n: 2 * math.isqrt(n) - 1,
                "√layers need not divide `layers`, and then the segments are not of equal length. Try the divisors.",
            ),
            Mistake(
                lambda n: min(s - 1 + n // s for s in range(1, n + 1)),
                "Your number of segments need not divide `layers`, and then the segments are not of equal length. Try the divisors only.",
            ),
            Mistake(
                lambda n: 2 * math.sqrt(n),
                "2 · √layers is the rule of thumb. Count: the segments must be whole, and one input is not kept twice.",
            ),
            Mistake(
                lambda n: min(s + n // s for s in range(1, n + 1) if n % s == 0),
                "One is counted twice: the first input of the segment at work is among those of the segments and among its own.",
            ),
            Mistake(
                lambda n: math.isqrt(n),
                "That is about the best number of segments. Asked for is how many inputs are kept with it.",
            ),
            Mistake(
                lambda n: min((s for s in range(1, n + 1) if n % s == 0), key=lambda s: (s - 1 + n // s, s)),
                "That is the best number of segments. Asked for is how many inputs are kept with it.",
            ),
            Mistake(
                lambda n: min(n // s for s in range(1, n + 1) if n % s == 0),
                "The inputs within the segment at work are not all: the first input of each earlier segment is kept too.",
            ),
            Mistake(
                lambda n: n,
                "That is without checkpoints: one segment, all inputs kept.",
            ),
            Mistake(
                lambda n: math.ceil(n / 2) + 1,
                "Two segments are a start. For a long chain more of them keep less.",
            ),
        ],
        hints=(
            "When is most kept: at the first or at the last segment of the backward pass? Count there.",
            "With s segments: one input for each of the s - 1 earlier ones, and layers / s within the last.",
            "Try every divisor s of `layers` and return the smallest s - 1 + layers // s.",
        ),
    ),
    Exercise(
        id="07.7",
        title="A batch in parts",
        reference=whole_batch,
        cases=_PARTS,
        mistakes=[
            Mistake(
                lambda g, n: sum(g),
                "The sum grows with the number of parts: each is already a mean. That is what forgetting to divide the loss does.",
            ),
            Mistake(
                lambda g, n: sum(g) / len(g),
                "The mean of means counts a picture of a small part more than others. Weight each part by its size.",
            ),
            Mistake(
                lambda g, n: sum(a * k for a, k in zip(g, n, strict=True)),
                "That is the gradient of the summed loss. The mean divides by the number of all pictures.",
            ),
            Mistake(
                lambda g, n: sum(a * k for a, k in zip(g, n, strict=True)) / len(g),
                "Divide by the number of pictures, not by the number of parts.",
            ),
            Mistake(
                lambda g, n: sum(g) / sum(n),
                "The parts are already means: multiply each by its size before you add.",
            ),
            Mistake(
                lambda g, n: sum(a / k for a, k in zip(g, n, strict=True)) / len(g),
                "You divided each part by its size once more. A mean times its size gives back the sum.",
            ),
            Mistake(
                lambda g, n: sum(a * k for a, k in zip(g, n, strict=True)) / max(n) / len(g),
                "That takes every part for as large as the largest, and so the last, small one counts too little.",
            ),
            Mistake(
                lambda g, n: (g * n).sum(0) / n.sum(),
                "`gradients * sizes` lines the sizes up with the last axis of the gradients. The parts stand on the first axis: go part by part.",
            ),
            Mistake(
                lambda g, n: (g * n[:, None]).sum(0) / n.sum(),
                "`sizes[:, None]` fits gradients with one axis. Others have more, such as a matrix of weights: one `None` for each of their axes.",
            ),
        ],
        hints=(
            "The mean over all pictures is a sum over all pictures, divided once.",
            "Turn each mean back into a sum: times the size of its part.",
            "Add gradient · size over the parts and divide by the sum of the sizes.",
        ),
    ),
]
