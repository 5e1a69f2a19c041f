"""Exercises of lesson 08: what an optimizer's step does, how large it may be, and how to compare fairly."""

import math

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def momentum_step(w, w_before, g, lr, mu):
    return w - lr * g + mu * (w - w_before)


def look_ahead(w, v, gradient, lr, mu):
    v = mu * v - lr * gradient(w + mu * v)
    return w + v, v


def slowest_factor(lr, curvatures):
    return max(abs(1 - lr * c) for c in curvatures)


def learning_rate(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    fraction = (step + 1 - warmup) / (steps + 1 - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * fraction))


def expected_best(scores, k):
    ordered, n = sorted(scores), len(scores)
    # The i-th smallest is the best when it is drawn and the other k - 1 come from the i below it.
    return sum(score * math.comb(i, k - 1) for i, score in enumerate(ordered)) / math.comb(n, k)


def _schedule(rise, fall):
    """A wrong schedule: ``rise`` and ``fall`` give the factor, from (step, steps, warmup)."""

    def wrong(step, steps, warmup, peak):
        return peak * (rise if step < warmup else fall)(step, steps, warmup)

    return wrong


def _rise(step, steps, warmup):
    return (step + 1) / warmup


def _half_cosine(fraction):
    return 0.5 * (1 + math.cos(math.pi * fraction))


def _fall(step, steps, warmup):
    return _half_cosine((step + 1 - warmup) / (steps + 1 - warmup))


def _looked(w, v, gradient, lr, mu, where):
    v = mu * v - lr * gradient(where)
    return w + v, v


def four_w_cubed(w):
    return 4 * w**3


def stretched_bowl(w):
    return np.array([1.0, 10.0]) * w


def waves(w):
    return np.sin(3 * w) + 0.5 * w


def _array(*values):
    return np.array(values)


EXERCISES = [
    Exercise(
        id="08.1",
        title="Adam's second step by hand",
        reference=-0.09474,
        name="w_after",
        tolerance=5e-4,
        mistakes=[
            Mistake(
                0.0,
                "Equal and opposite gradients cancel in SGD. Adam's second step is not as large as its first: half of what it averages is the old gradient.",
            ),
            Mistake(
                -0.2,
                "That is two sign steps in the same direction. The first step is one; in the second the new gradient pulls the average below zero.",
            ),
            Mistake(
                -0.1,
                "That is the place after the first step, which has length lr. The second step is small, not zero.",
            ),
            Mistake(
                0.0053,
                "That is the second step alone. Asked is the place after both: the first went to -0.1.",
            ),
            Mistake(
                -0.2939,
                "Without the bias correction. Divide m by 1 - 0.9^t and q by 1 - 0.999^t, with t the number of the step.",
            ),
            Mistake(
                -0.0929,
                "You divided by 1 - 0.9 and 1 - 0.999 in both steps. In the second step t is 2: divide by 1 - 0.9² and 1 - 0.999².",
            ),
            Mistake(
                0.0947,
                "The sign is turned: the weight goes against the gradient, so the first step goes to -0.1.",
            ),
            Mistake(
                -0.1053,
                "The second step has the wrong direction. Its average is below zero (0.18 - 0.2), and minus a negative number goes up.",
            ),
            Mistake(
                -0.095,
                "Nearly: rounded too early. Give four digits after the point.",
            ),
            Mistake(
                -0.9474,
                "The learning rate is 0.1: this is the answer for `lr=1`.",
            ),
            Mistake(
                -0.0474,
                "The root is missing. The corrected q is 4, a square of gradients; divide the corrected m by its root, 2.",
            ),
        ],
        hints=(
            "The first step is a sign step of length lr. So only the second needs arithmetic.",
            "m = 0.9 · 0.2 - 0.2 and q = 0.999 · 0.004 + 0.004. Then divide m by 1 - 0.9² and q by 1 - 0.999².",
            "The corrected m is -0.02 / 0.19 and the corrected q is 4, its root 2: the step is 0.1 · 0.01 / 0.19, upwards.",
        ),
    ),
    Exercise(
        id="08.2",
        title="Momentum without a velocity",
        reference=momentum_step,
        cases=[
            Case(1.0, 1.0, 2.0, 0.1, 0.9),
            Case(1.0, 1.5, 2.0, 0.1, 0.9),
            Case(_array(0.5, -2.0), _array(0.25, -1.0), _array(1.0, 3.0), 0.05, 0.5),
            Case(_array(3.0, 1.0), _array(2.0, 4.0), _array(-1.0, 0.5), 0.2, 0.0),
        ],
        mistakes=[
            Mistake(
                lambda w, b, g, lr, mu: w - lr * g - mu * (w - b),
                "The sign of the memory is turned: that brakes. Momentum goes on in the direction w - w_before.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * (g + mu * (w - b)),
                "The last move is already a displacement: it has the learning rate inside. Multiplied by lr, it is too small, and it has the wrong sign.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * (g - mu * (w - b)),
                "The last move is already a displacement: it has the learning rate inside. Do not multiply it by lr again.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * g,
                "That is plain SGD: `w_before` and `mu` are not used.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * (1 - mu) * g + mu * (w - b),
                "That is the averaged form: here the new gradient counts (1 - mu) only. In the lesson's momentum it counts in full.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: b - lr * g + mu * (w - b),
                "You step from the position before. The new place starts from `w`.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: -lr * g + mu * (w - b),
                "That is the displacement alone. Add it to `w`.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w + lr * g + mu * (w - b),
                "That climbs: the step goes against the gradient.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * g + mu * b,
                "The memory is a move, the difference of two positions; you added a position.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * g + (w - b),
                "The last move is repeated in full: that is mu = 1, which never forgets.",
            ),
            Mistake(
                lambda w, b, g, lr, mu: w - lr * g + mu * (w - lr * g - b),
                "You overwrote w before you took the difference, so the new step counts in the memory too.",
            ),
        ],
        hints=(
            "How far did the last step go, and in which direction? You have both ends of it.",
            "In the lesson, the last move was -lr · v. The new one is -lr · (mu · v + g). Write it with w - w_before.",
            "The last move is w - w_before. The new one is mu times that, minus lr · g.",
        ),
    ),
    Exercise(
        id="08.3",
        title="Look ahead",
        reference=look_ahead,
        cases=[
            Case(1.0, 0.0, four_w_cubed, 0.05, 0.9),
            Case(1.0, -0.2, four_w_cubed, 0.05, 0.9),
            Case(_array(1.0, -2.0), _array(0.5, 0.25), stretched_bowl, 0.05, 0.5),
            Case(0.3, 0.4, waves, 0.1, 0.8),
        ],
        mistakes=[
            Mistake(
                lambda w, v, gradient, lr, mu: _looked(w, v, gradient, lr, mu, w),
                "The gradient is taken where you stand: that is plain momentum. Take it where the velocity alone would lead.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: _looked(w, v, gradient, lr, mu, w - mu * v),
                "You looked back: here v is a displacement, so the point ahead is w plus mu times v.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: _looked(w, v, gradient, lr, mu, w + v),
                "Too far ahead: the velocity loses the factor mu in the step that you anticipate.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (
                    w + mu * v + (mu * v - lr * gradient(w + mu * v)),
                    mu * v - lr * gradient(w + mu * v),
                ),
                "You moved from the point ahead, so mu times v is counted twice. Look there, but step from w.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (w + v, mu * v - lr * gradient(w + mu * v)),
                "The position was moved by the old velocity. First the new v, then w plus that.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (
                    w - (mu * v - lr * gradient(w + mu * v)),
                    mu * v - lr * gradient(w + mu * v),
                ),
                "The sign of the move is turned: v is a displacement already, so it is added to w.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (
                    w - lr * (mu * v + gradient(w + mu * v)),
                    mu * v + gradient(w + mu * v),
                ),
                "That is the other convention, a velocity in units of the gradient. Here v is a displacement, with lr and the minus inside.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (look_ahead(w, v, gradient, lr, mu)[0], v),
                "The position is right, and the old v came back with it. Return the new one: the next step needs it.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (
                    w - lr * gradient(w + mu * v),
                    mu * v - lr * gradient(w + mu * v),
                ),
                "The new v is right, but w moved by the gradient alone. It moves by the whole new v.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: look_ahead(w, v, gradient, lr, mu)[::-1],
                "The two results are exchanged: return w first, then v.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: look_ahead(w, v, gradient, lr, mu)[0],
                "The position is right. Return the new v too, as `w, v`: the next step needs it.",
            ),
            Mistake(
                lambda w, v, gradient, lr, mu: (
                    w - (mu * v + lr * gradient(w - mu * v)),
                    mu * v + lr * gradient(w - mu * v),
                ),
                "In your convention v points uphill and is taken off. Here v is a displacement: it has the minus inside and is added to w.",
            ),
        ],
        hints=(
            "Where would the velocity take you if there were no gradient at all? Ask for the gradient there.",
            "Write plain momentum first, with v as a displacement that is added to w. Then only the argument of `gradient` changes.",
            "Three lines: the point ahead, w + mu · v; the new v, mu · v - lr · gradient(point); the new w, w + v.",
        ),
    ),
    Exercise(
        id="08.4",
        title="The slowest direction",
        reference=slowest_factor,
        cases=[
            Case(0.1, _array(1.0, 10.0)),
            Case(0.15, _array(1.0, 13.0)),
            Case(0.3, _array(0.5, 2.0, 8.0)),
            Case(0.01, _array(4.0, 3.0, 40.0)),
            Case(0.5, _array(3.0)),
        ],
        mistakes=[
            Mistake(
                lambda lr, cs: abs(1 - lr * max(cs)),
                "You looked at the steepest axis only. Near its limit it is slow, but with a small rate the flattest axis is slower.",
            ),
            Mistake(
                lambda lr, cs: abs(1 - lr * min(cs)),
                "You looked at the flattest axis only. With a large rate the steepest one is slower, or diverges.",
            ),
            Mistake(
                lambda lr, cs: max(1 - lr * c for c in cs),
                "Take the size of each factor: -0.9 shrinks the distance as slowly as 0.9, from the other side.",
            ),
            Mistake(
                lambda lr, cs: min(abs(1 - lr * c) for c in cs),
                "That is the fastest axis: the smaller the factor, the faster it shrinks.",
            ),
            Mistake(
                lambda lr, cs: float(np.mean([abs(1 - lr * c) for c in cs])),
                "An average hides the axis that is left over in the end. Which one is the slowest?",
            ),
            Mistake(
                lambda lr, cs: abs(1 - lr * sum(cs) / len(cs)),
                "There is no average axis: each one has its own factor, and the slowest decides.",
            ),
            Mistake(
                lambda lr, cs: max(abs(1 - c / lr) for c in cs),
                "Multiply curvature and rate: the gradient is the curvature times the distance, and the step is lr times that.",
            ),
            Mistake(
                lambda lr, cs: max(abs(1 - 2 * lr * c) for c in cs),
                "The gradient of half the curvature times w² is the curvature times w: the 2 cancels.",
            ),
            Mistake(
                lambda lr, cs: max(abs(1 - lr * c / 2) for c in cs),
                "The half belongs to the loss. Its derivative, the gradient, is the curvature times w, without a half.",
            ),
            Mistake(
                lambda lr, cs: max((1 - lr * c) ** 2 for c in cs),
                "That is the factor of the loss, the square. Asked is the factor of the distance.",
            ),
            Mistake(
                lambda lr, cs: max(lr * c for c in cs),
                "That is the share which a step takes away. What is left is 1 minus it, in size.",
            ),
        ],
        hints=(
            "One axis first: where is w after one step, if the gradient is the curvature times w?",
            "Each axis has its factor 1 - lr · curvature. Its size counts, not its sign.",
            "The largest of the sizes belongs to the slowest axis.",
        ),
    ),
    Exercise(
        id="08.5",
        title="Warm-up and cosine",
        reference=learning_rate,
        cases=[Case(step, 20, 5, 0.1) for step in (0, 3, 4, 5, 12, 19)]
        + [Case(0, 10, 1, 2.0), Case(9, 10, 1, 2.0)],
        mistakes=[
            Mistake(
                _schedule(lambda s, n, w: s / w, _fall),
                "Step 0 gets a rate of zero, so the first batch is wasted. It gets one part of `warmup`, and step warmup - 1 the whole.",
            ),
            Mistake(
                _schedule(lambda s, n, w: (s + 1) / (w + 1), _fall),
                "The warm-up is one part too long: it should reach `peak` at step warmup - 1, its last, so there are `warmup` parts.",
            ),
            Mistake(
                _schedule(lambda s, n, w: s / w, lambda s, n, w: _half_cosine((s - w) / (n - w))),
                "Everything comes one step late: step 0 gets a rate of zero, and the peak comes at step `warmup` instead of warmup - 1.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: _half_cosine(s / n)),
                "The cosine runs over all steps, so it is far down already when the warm-up ends. It begins at the peak, at step warmup - 1.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: _half_cosine((s - w) / (n - w))),
                "Step `warmup` gets the peak once more. The fall begins at step warmup - 1, so step `warmup` is already one part down.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: _half_cosine((s + 1 - w) / (n - w))),
                "The last step gets zero and is wasted. Zero would be reached at step `steps`, one after the last.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: math.cos(math.pi / 2 * (s + 1 - w) / (n + 1 - w))),
                "That is a quarter of a cosine, which is steepest at the end. Half a cosine is flat at both ends: (1 + cos(π t)) / 2.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: math.cos(math.pi * (s + 1 - w) / (n + 1 - w))),
                "The rate becomes negative: the cosine runs from 1 to -1. Shift and halve it: (1 + cos) / 2.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: 1 + math.cos(math.pi * (s + 1 - w) / (n + 1 - w))),
                "1 + cos begins at 2. Halve it.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: 1 - (s + 1 - w) / (n + 1 - w)),
                "The fall is a straight line. Let the fraction t run through half a cosine: (1 + cos(π t)) / 2.",
            ),
            Mistake(
                _schedule(_rise, lambda s, n, w: 0.5 * (1 + math.cos(180 * (s + 1 - w) / (n + 1 - w)))),
                "`math.cos` takes radians: half a turn is π, not 180.",
            ),
            Mistake(
                lambda s, n, w, p: _schedule(_rise, _fall)(s, n, w, 1.0),
                "That is the factor between 0 and 1. Multiply it by `peak`.",
            ),
            Mistake(
                lambda s, n, w, p: p * _half_cosine(s / n),
                "The warm-up is missing: `warmup` is not used.",
            ),
            Mistake(
                _schedule(lambda s, n, w: s / (w - 1), _fall),
                "You start at zero, so step 0 learns nothing, and only warmup - 1 parts are left. Step 0 gets one part of `warmup`.",
            ),
        ],
        hints=(
            "Two pieces that meet at step warmup - 1, where the rate is `peak`. Write each, then check the steps on both sides of it.",
            "Rising: (step + 1) / warmup. Falling: t from 0 at step warmup - 1 to 1 at step `steps`, then (1 + cos(π t)) / 2.",
            "t = (step - (warmup - 1)) / (steps - (warmup - 1)).",
        ),
    ),
    Exercise(
        id="08.6",
        title="The best of fewer trials",
        reference=expected_best,
        cases=[
            Case([0.5, 0.9, 0.1, 0.7], 2),
            Case([0.5, 0.9, 0.1, 0.7], 1),
            Case([0.5, 0.9, 0.1, 0.7], 4),
            Case([0.62, 0.11, 0.97, 0.95, 0.3, 0.88, 0.1], 3),
            Case([0.4, 0.4, 0.8], 2),
            Case([round(float(v), 3) for v in np.random.default_rng(0).random(26)], 13),
        ],
        seconds=2.0,
        mistakes=[
            Mistake(
                lambda s, k: max(s[:k]),
                "That is one draw: the first k. Average over all ways to choose k of them.",
            ),
            Mistake(
                lambda s, k: max(s),
                "That is the best of all. With fewer trials one finds less.",
            ),
            Mistake(
                lambda s, k: sum(s) / len(s),
                "That is the average score, right for k = 1 only. The best of k trials is better than an average one.",
            ),
            Mistake(
                lambda s, k: sum(sorted(s)[-k:]) / k,
                "That is the mean of the k best scores. A colleague with k trials does not get the k best ones.",
            ),
            Mistake(
                lambda s, k: sorted(s)[-k],
                "That is the k-th best of all. Asked is the average of the best over all draws of k.",
            ),
            Mistake(
                lambda s, k: sorted(s)[k - 1],
                "That is the k-th smallest score. Asked is the average of the best over all draws of k.",
            ),
            Mistake(
                lambda s, k: sum(
                    v * (((i + 1) / len(s)) ** k - (i / len(s)) ** k) for i, v in enumerate(sorted(s))
                ),
                "That draws with repetition: the same trial may count twice. Here a trial is drawn once.",
            ),
            Mistake(
                lambda s, k: (
                    sum(v * math.comb(i, k - 1) for i, v in enumerate(sorted(s, reverse=True)))
                    / math.comb(len(s), k)
                ),
                "That is the expected *worst* of k: sort the scores from small to large.",
            ),
            Mistake(
                lambda s, k: sum(v * math.comb(i, k - 1) for i, v in enumerate(s)) / math.comb(len(s), k),
                "The weights are right, the scores are not sorted.",
            ),
            Mistake(
                lambda s, k: sum(v * math.comb(i, k) for i, v in enumerate(sorted(s))) / math.comb(len(s), k),
                "The score itself is one of the k: the others, k - 1 of them, come from the i below it.",
            ),
            Mistake(
                lambda s, k: np.quantile(s, k / (k + 1)),
                "A quantile is an estimate for many trials. Here the average over all draws can be had exactly.",
            ),
        ],
        hints=(
            "Sort the scores. When is the i-th smallest the best of a draw?",
            "It must be drawn, and the other k - 1 must come from those below it. Count these draws with `math.comb`.",
            "Of the comb(n, k) draws, the score with i scores below it is the best in comb(i, k - 1).",
        ),
    ),
]
