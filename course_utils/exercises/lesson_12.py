"""Exercises of lesson 12: Grad-CAM, integrated gradients, deletion, FGSM, PGD's box, shape share."""

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake
from course_utils.exercises.compare import with_dtype


def cam(maps, gradients):
    weights = gradients.mean(axis=(1, 2))
    heat = np.maximum((weights[:, None, None] * maps).sum(axis=0), 0)
    return heat / heat.max() if heat.max() > 0 else heat


def integrate(gradient, x, baselines, steps):
    shares = np.zeros(x.shape)
    for baseline in baselines:
        way = x - baseline
        for step in range(steps):
            shares += way * gradient(baseline + way * (step + 0.5) / steps)
    return shares / (len(baselines) * steps)


def deletion_curve(score, picture, heat, steps):
    order = np.argsort(-heat, axis=None, kind="stable")
    pixels, scores = picture.copy(), []
    for gone in range(0, picture.size + 1, picture.size // steps):
        pixels.flat[order[:gone]] = 0
        scores.append(score(pixels))
    return scores


def fgsm_step(x, gradient, eps, mean, std):
    pixels = x * std + mean + eps / 255 * np.sign(gradient)
    return (np.clip(pixels, 0, 1) - mean) / std


def back_into_box(z, x, eps):
    levels = x.astype(int)
    low, high = np.maximum(levels - eps, 0), np.minimum(levels + eps, 255)
    return np.clip(np.round(z), low, high).astype(np.uint8)


def share_of_shape(answers, shapes, textures):
    conflict = shapes != textures
    by_shape = (conflict & (answers == shapes)).sum()
    by_texture = (conflict & (answers == textures)).sum()
    return by_shape / (by_shape + by_texture)


def _scaled(heat):
    return heat / heat.max() if heat.max() > 0 else np.maximum(heat, 0)


def _unit_range(heat):
    scale = 1 / float(heat.max() - heat.min())  # a flat heat raises: there answers differ
    return (heat - heat.min()) * scale


def _weighted_maps(maps, gradients):
    return (gradients.mean(axis=(1, 2))[:, None, None] * maps).sum(axis=0)


def _path_mean(gradient, x, baseline, places):
    return np.mean([gradient(baseline + (x - baseline) * t) for t in places], axis=0)


def _middles(steps):
    return (np.arange(steps) + 0.5) / steps


def _each(shares, sentence):
    """A mistake that is made with each baseline; its shares are averaged as they should be."""
    return Mistake(lambda g, x, b, n: np.mean([shares(g, x, one, n) for one in b], axis=0), sentence)


def _curve(score, picture, order, counts, fill=0.0, alone=False, start=None):
    scores, pixels = [], (picture if start is None else start).copy()
    before = 0
    for gone in counts:
        if alone:
            pixels = picture.copy()
        which = order[before if alone else 0 : gone]
        pixels.flat[which] = fill if start is None else picture.flat[which]
        before = gone
        scores.append(score(pixels))
    return scores


def _hottest(heat):
    return np.argsort(-heat, axis=None, kind="stable")


def _rounds(picture, steps):
    return range(0, picture.size + 1, picture.size // steps)


def _weighted(picture):
    return float((picture * np.arange(1, picture.size + 1).reshape(picture.shape)).sum())


def _top_row(picture):
    return float(picture[0].sum())


def _cubes(x):
    return 3 * x**2


def _bent(x):
    return np.where(x > 1, 2 * x, 0.5)


def _box(x, eps):
    return np.maximum(x.astype(int) - eps, 0), np.minimum(x.astype(int) + eps, 255)


def _levels(values):
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _project_l2(z, x, eps):
    change = z - x
    return _levels(x + change * min(1, eps / np.linalg.norm(change)))


_RNG = np.random.default_rng(12)
_MAPS = np.maximum(_RNG.normal(size=(4, 3, 5)), 0).round(2)
_SLOPES = _RNG.normal(size=(4, 3, 5)).round(2)
_PICTURE = np.array([[3.0, 1.0, 4.0], [2.0, 9.0, 6.0]])
_HEAT = np.array([[0.1, 0.9, -0.2], [0.8, 0.3, 0.5]])
_STRONG = _RNG.uniform(0.1, 1, (4, 4)).round(2)
_STRONG_HEAT = _RNG.normal(size=(4, 4)).round(2)
_PREPARED = (np.array([[0.01, 0.5], [0.99, 0.3]]) - 0.485) / 0.229
_LOSS_SLOPES = np.array([[-0.7, 0.2], [1.5, -0.01]])
_AT = np.uint8([[5, 128, 250, 100], [3, 255, 0, 77]])
_AWAY = np.array([[-20.0, 131.6, 270.4, 60.2], [3.4, 251.7, 2.6, 78.6]])
_ANSWERS = np.array([0, 1, 2, 2, 1, 0, 0, 2, 1, 1])
_SHAPES = np.array([0, 1, 2, 1, 1, 2, 1, 2, 0, 1])
_TEXTURES = np.array([0, 0, 2, 2, 2, 0, 2, 0, 1, 1])

EXERCISES = [
    Exercise(
        id="12.1",
        title="Grad-CAM from its parts",
        reference=cam,
        cases=[
            Case(_MAPS, _SLOPES),
            Case(
                np.array([[[2.0, 0.0], [1.0, 3.0]], [[0.0, 4.0], [1.0, 1.0]]]),
                np.array([[[1.0, 0], [0, 1]], [[-1.0, 1], [-1, 0]]]),
            ),
            Case(
                np.array([[[2.0, 0.0], [1.0, 3.0]], [[0.0, 4.0], [1.0, 1.0]]]),
                np.array([[[1.0, 0], [0, 1]], [[-2.0, -1], [-1, 0]]]),
            ),
            Case(np.ones((2, 2, 2)), -np.ones((2, 2, 2))),
            Case(np.array([[[1.0, 2], [3, 4]], [[1, 1], [1, 1]]]), np.ones((2, 2, 2))),
        ],
        mistakes=[
            Mistake(
                lambda a, g: _scaled(np.maximum((g * a).sum(axis=0), 0)),
                "You multiplied place by place. Grad-CAM first averages the gradient over all places: one weight for each feature map.",
            ),
            Mistake(
                lambda a, g: _scaled(np.abs((g.mean(axis=(1, 2))[:, None, None] * a).sum(axis=0))),
                "The absolute value lights up what speaks *against* the class, too. Use ReLU: negative sums become 0.",
            ),
            Mistake(
                lambda a, g: _scaled((np.maximum(g.mean(axis=(1, 2)), 0)[:, None, None] * a).sum(axis=0)),
                "ReLU comes after the sum. Before it, maps that speak against the class could no longer cancel those that speak for it.",
            ),
            Mistake(
                lambda a, g: _scaled(np.maximum(a.sum(axis=0), 0)),
                "Here every feature map counts the same, so the heat would be the same for every class. The gradient gives each map its weight.",
            ),
            Mistake(
                lambda a, g: _scaled((g.mean(axis=(1, 2))[:, None, None] * a).sum(axis=0)),
                "The ReLU is missing: what speaks against the class stays in the heat as negative numbers.",
            ),
            Mistake(
                lambda a, g: np.maximum((g.mean(axis=(1, 2))[:, None, None] * a).sum(axis=0), 0),
                "The heat is right up to its scale: divide by the largest value, where that is positive.",
            ),
            Mistake(
                lambda a, g: _unit_range(np.maximum(_weighted_maps(a, g), 0)),
                "You subtracted the smallest value. Zero means no evidence for the class; divide by the largest value only.",
            ),
            Mistake(
                lambda a, g: _unit_range(_weighted_maps(a, g)),
                "Min-max scaling hides the missing ReLU: the strongest evidence against the class becomes 0, and the middle becomes bright.",
            ),
        ],
        hints=(
            "One number for each feature map, then one weighted sum.",
            "`gradients.mean(axis=(1, 2))` are the weights (K,). They need two more axes to multiply `maps`.",
            "Sum `weights[:, None, None] * maps` over axis 0, replace negatives by 0, divide by the maximum if it is above 0.",
        ),
    ),
    Exercise(
        id="12.2",
        title="Shares by hand",
        reference=[8.0, 4.0],
        name="shares",
        mistakes=[
            Mistake(
                [12.0, 4.0],
                "That is the gradient at the picture. Integrated gradients average it over the way from the baseline.",
            ),
            Mistake(
                [24.0, 12.0],
                "That is gradient times input. It adds up to far more than f, which is 12: the gradient was smaller on the way.",
            ),
            Mistake(
                [12.0, 12.0],
                "That is occlusion: set one to 0 and all of f is gone. The shares must add up to f, which is 12.",
            ),
            Mistake(
                [6.0, 6.0],
                "Equal shares add up rightly, but a enters squared: its gradient along the way is larger.",
            ),
            Mistake(
                [4.0, 8.0],
                "The two are exchanged: the one that enters squared gets the larger share.",
            ),
            Mistake(
                [4.0, 4 / 3],
                "That is the mean gradient. Multiply it by the way that each input went, 2 and 3.",
            ),
            Mistake(
                [12.0, 6.0],
                "You took 1/2 for the integral of t². It is 1/3.",
            ),
        ],
        hints=(
            "On the way at time t the point is (2t, 3t). What are the two partial derivatives there?",
            "2ab becomes 2 · 2t · 3t and a² becomes (2t)². The integral of t² from 0 to 1 is 1/3.",
            "Multiply the means, 12/3 and 4/3, by the ways 2 and 3. Check: the sum must be f = 12.",
        ),
    ),
    Exercise(
        id="12.3",
        title="More than one baseline",
        reference=integrate,
        cases=[
            Case(_cubes, np.array([1.0, 2.0, -1.0]), np.array([[0.0, 0.5, 0.0], [1.0, 0.0, 1.0]]), 4),
            Case(_bent, np.array([[2.0, 0.5], [1.2, 3.0]]), np.stack([np.full((2, 2), 0.2), np.eye(2)]), 8),
            Case(_cubes, np.array([2.0]), np.array([[1.0]]), 1),
        ],
        mistakes=[
            Mistake(
                lambda g, x, b, n: (x - b.mean(0)) * _path_mean(g, x, b.mean(0), _middles(n)),
                "You averaged the baselines first: one way from their mean. Each baseline has its own way and its own shares; average those.",
            ),
            Mistake(
                lambda g, x, b, n: (
                    (x - b.mean(0)) * np.mean([_path_mean(g, x, one, _middles(n)) for one in b], axis=0)
                ),
                "You averaged ways and gradients apart, then multiplied. The mean of products is not the product of means: multiply for each baseline.",
            ),
            _each(
                lambda g, x, b, n: _path_mean(g, x, b, _middles(n)),
                "That is the mean gradient. Each input's share is that times its way, `x - baseline`; without it, the shares do not add up.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * g(x),
                "You took the gradient at the end only. Where f has levelled off, it is 0 there.",
            ),
            _each(
                lambda g, x, b, n: x * _path_mean(g, x, b, _middles(n)),
                "The factor is `x - baseline`, the way that was gone; `x` alone is right only for a baseline of 0.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * _path_mean(g, x, b, np.arange(n) / n),
                "Those are the left ends of the steps. Midpoints, `(step + 0.5) / steps`, are much closer for the same work.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * _path_mean(g, x, b, (np.arange(n) + 1) / n),
                "Those are the right ends of the steps. Midpoints, `(step + 0.5) / steps`, are much closer for the same work.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * n * _path_mean(g, x, b, _middles(n)),
                "The gradients are summed, not averaged: the shares grow with the number of steps.",
            ),
            Mistake(
                lambda g, x, b, n: sum((x - one) * _path_mean(g, x, one, _middles(n)) for one in b),
                "The shares are summed over the baselines, not averaged: they add up to more than there is to share.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * np.mean([g(x * t) for t in _middles(n)], axis=0),
                "Your way starts at 0. It must start at the baseline: `baseline + (x - baseline) * t`.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * _path_mean(g, x, b, np.linspace(0, 1, n)),
                "These points include both ends. The midpoints are (k + 0.5) / steps.",
            ),
            _each(
                lambda g, x, b, n: (x - b) * _path_mean(g, x, b, np.linspace(0, 1, n + 1)),
                "Those `steps + 1` points are the limits of the steps. Take their midpoints, (k + 0.5) / steps.",
            ),
            Mistake(
                lambda g, x, b, n: [(x - one) * _path_mean(g, x, one, _middles(n)) for one in b],
                "Those are the shares from each baseline. Asked for is their mean, of the shape of `x`.",
            ),
        ],
        hints=(
            "From each baseline walk to `x` and ask for the gradient on the way.",
            "Point number k is `baseline + (x - baseline) * (k + 0.5) / steps`.",
            "For each baseline: the mean of these gradients, times `x - baseline`. Then the mean over the baselines.",
        ),
    ),
    Exercise(
        id="12.4",
        title="The deletion curve",
        reference=deletion_curve,
        cases=[
            Case(np.sum, _PICTURE, _HEAT, 3),
            Case(_weighted, _PICTURE, _HEAT, 6),
            Case(np.max, _STRONG, _STRONG_HEAT, 4),
            Case(_top_row, _PICTURE, _HEAT, 2),
        ],
        mistakes=[
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(-h), _rounds(p, n)),
                "The coldest pixels go first. `argsort` sorts upwards; the hottest are at its end.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(np.abs(h)), _rounds(p, n)),
                "You sorted by the absolute value. A negative heat speaks against the class; such pixels go last.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(h), _rounds(p, n), start=np.zeros_like(p)),
                "That is insertion: the pixels come. At deletion the curve begins with the whole picture.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(h), list(_rounds(p, n))[1:]),
                "The score of the whole picture is missing: a curve of `steps` rounds has `steps + 1` points.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(h), _rounds(p, n), alone=True),
                "Each round starts from the whole picture again. What is gone stays gone.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(h), _rounds(p, n), fill=1.0),
                "The pixels became 1. Here they become 0; which value counts as *nothing* is part of the measure.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, _hottest(p), _rounds(p, n)),
                "You sorted by the picture. The order comes from the heat.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(lambda q: s(q.ravel()), p, _hottest(h), _rounds(p, n)),
                "`score` got a flat row of pixels. It takes a picture: give it the pixels in the shape (H, W).",
            ),
            Mistake(
                lambda s, p, h, n: [s(p)] * (n + 1),
                "Every score is that of the whole picture: nothing was removed. `flatten` makes a copy; use `.flat` or `ravel()` on your copy.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, np.argsort(-h), _rounds(p, n)),
                "That sorts each row. `axis=None` sorts all pixels.",
            ),
            Mistake(
                lambda s, p, h, n: _curve(s, p, np.argsort(-h).ravel(), _rounds(p, n)),
                "You sorted each row and joined the results, so every number counts within its row. Sort all pixels at once: `axis=None`.",
            ),
        ],
        hints=(
            "Sort once, then take more and more of that order.",
            "`np.argsort(-heat, axis=None)` gives places in the flat picture; `pixels.flat[order[:k]] = 0` sets them.",
            "Copy the picture, and for k = 0, size/steps, …, size: set the first k places to 0 and append `score(pixels)`.",
        ),
    ),
    Exercise(
        id="12.5",
        title="One step of FGSM, in the right units",
        reference=fgsm_step,
        cases=[
            Case(_PREPARED, _LOSS_SLOPES, 8, 0.485, 0.229),
            Case(np.array([0.0, -0.9, 0.98]), np.array([0.3, 0.3, -4.0]), 2, 0.5, 0.5),
            Case(np.array([-0.98, 0.98, 0.2]), np.array([-1.0, 1.0, 0.0]), 16, 0.5, 0.5),
        ],
        mistakes=[
            Mistake(
                lambda x, g, e, m, s: (np.clip(x * s + m + e * np.sign(g), 0, 1) - m) / s,
                "`eps` is in levels of 255 and was added to numbers from 0 to 1: divide it by 255. So far the picture is only black and white.",
            ),
            Mistake(
                lambda x, g, e, m, s: np.clip(x + e / 255 * np.sign(g), (0 - m) / s, (1 - m) / s),
                "You added `eps / 255` to prepared numbers. One unit there is `std` of a pixel, so the step is too small or too large: divide by `std`.",
            ),
            Mistake(
                lambda x, g, e, m, s: (np.clip(x * s + m + e / 255 * g, 0, 1) - m) / s,
                "The sign is missing. With the gradient itself most pixels hardly move; FGSM uses all of `eps` in every pixel.",
            ),
            Mistake(
                lambda x, g, e, m, s: (np.clip(x * s + m - e / 255 * np.sign(g), 0, 1) - m) / s,
                "That goes downhill: it makes the network surer. An attack raises the loss.",
            ),
            Mistake(
                lambda x, g, e, m, s: x + e / 255 / s * np.sign(g),
                "The step is right, but the result may not be a picture: bring p back between 0 and 1.",
            ),
            Mistake(
                lambda x, g, e, m, s: np.clip(x + e / 255 / s * np.sign(g), 0, 1),
                "You clipped the prepared numbers to 0 and 1, which cuts off every dark pixel. The limits are those of p: go back to pixels first.",
            ),
            Mistake(
                lambda x, g, e, m, s: np.clip(x * s + m + e / 255 * np.sign(g), 0, 1),
                "Those are pixels from 0 to 1. The network expects the prepared numbers: subtract the mean and divide by `std` again.",
            ),
            Mistake(
                lambda x, g, e, m, s: x + e / 255 * np.sign(g),
                "That is FGSM for bare pixels. Here `x` is prepared: bring the step into its units, and bring p back between 0 and 1.",
            ),
            Mistake(
                lambda x, g, e, m, s: x + e * np.sign(g),
                "You added levels of 255 to prepared numbers. Divide the step by 255 and by `std`, and bring p back between 0 and 1.",
            ),
            Mistake(
                lambda x, g, e, m, s: np.clip(x + e / 255 * s * np.sign(g), (0 - m) / s, (1 - m) / s),
                "You multiplied by `std`. A pixel step becomes a prepared one by dividing.",
            ),
        ],
        hints=(
            "Three units meet here: levels, pixels from 0 to 1, prepared numbers.",
            "Turn `x` into pixels with `x * std + mean`, step there, and turn it back.",
            "pixels + eps / 255 · sign(gradient), clipped to 0 and 1, then (… − mean) / std.",
        ),
    ),
    Exercise(
        id="12.6",
        title="Back into the box",
        reference=back_into_box,
        cases=[
            Case(_AWAY, _AT, 8),
            Case(np.array([[120.7, 50.2], [255.9, -3.0]]), np.uint8([[122, 70], [252, 1]]), 12),
            Case(np.array([30.49, 31.0, 28.7]), np.uint8([30, 30, 30]), 2),
        ],
        observe=with_dtype,
        mistakes=[
            Mistake(
                lambda z, x, e: np.clip(np.round(z), x - np.uint8(e), x + np.uint8(e)).astype(np.uint8),
                "`x` counts in uint8: 5 - 8 is 253 there, and 250 + 8 is 2. Make it a signed or a float array before you subtract.",
            ),
            Mistake(
                lambda z, x, e: np.clip(z, *_box(x, e)).astype(np.uint8),
                "`astype` cuts the fraction off: 131.6 becomes 131. Round to the nearest level first.",
            ),
            Mistake(
                lambda z, x, e: _levels(z),
                "It is a picture again, but it may be any picture: nothing keeps it within `eps` of `x`.",
            ),
            Mistake(
                lambda z, x, e: np.clip(np.round(z), x.astype(int) - e, x.astype(int) + e).astype(np.uint8),
                "It is near `x`, but a level below 0 or above 255 is none, and a uint8 array counts it from the other end.",
            ),
            Mistake(
                lambda z, x, e: np.clip(np.round(z), *_box(x, e)),
                "The levels are right. A file wants them as uint8: `.astype(np.uint8)`.",
            ),
            Mistake(
                lambda z, x, e: np.clip(z, *_box(x, e)),
                "A file stores whole levels. Round, then turn into uint8.",
            ),
            Mistake(
                _project_l2,
                "You shortened the whole change to the length `eps`. The box limits each pixel by itself.",
            ),
            Mistake(
                lambda z, x, e: _levels(np.clip(z, -e, e)),
                "The box lies around `x`, not around 0: the limits are `x - eps` and `x + eps`.",
            ),
            Mistake(
                lambda z, x, e: _levels(x + e * np.sign(z - x)),
                "You pushed every pixel to the wall of the box. Those that are inside stay where they are.",
            ),
            Mistake(
                lambda z, x, e: np.where(np.abs(z - x) > e, x, _levels(z)),
                "Pixels that went too far were put back to `x`. They stop at the wall of the box.",
            ),
        ],
        hints=(
            "Three conditions for each pixel: near `x`, from 0 to 255, and a whole number in uint8. Which of your steps can undo another?",
            "`np.clip` takes arrays as limits. Compute them in signed numbers: uint8 has nothing below 0.",
            "Round `z`, clip it to `max(x - eps, 0)` and `min(x + eps, 255)`, then `.astype(np.uint8)`.",
        ),
    ),
    Exercise(
        id="12.7",
        title="The shape share",
        reference=share_of_shape,
        cases=[
            Case(_ANSWERS, _SHAPES, _TEXTURES),
            Case(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2]), np.array([1, 0, 2, 1, 2])),
            Case(
                np.array([3, 3, 1, 0, 2, 2, 0]),
                np.array([3, 1, 1, 2, 1, 2, 0]),
                np.array([1, 3, 0, 1, 2, 2, 0]),
            ),
            Case(
                np.array([0, 0, 1, 1, 2, 2, 0]),
                np.array([0, 1, 1, 1, 2, 2, 0]),
                np.array([1, 0, 0, 1, 0, 2, 0]),
            ),
        ],
        mistakes=[
            Mistake(
                lambda a, s, t: (a == s).mean(),
                "That is the accuracy by shape over all pictures. Where both cues agree, a right answer says nothing about which one was used.",
            ),
            Mistake(
                lambda a, s, t: (a == s)[s != t].mean(),
                "You divided by all pictures in conflict. Answers that follow neither cue are left out: they are errors, not a choice.",
            ),
            Mistake(
                lambda a, s, t: (a == s).sum() / ((a == s).sum() + (a == t).sum()),
                "Pictures whose cues agree were counted, on both sides. Keep only those with `shapes != textures`.",
            ),
            Mistake(
                lambda a, s, t: (a == t)[s != t].sum() / ((a == s)[s != t].sum() + (a == t)[s != t].sum()),
                "That is the texture share, one minus what is asked.",
            ),
            Mistake(
                lambda a, s, t: (a == s)[s != t].sum() / (a == t)[s != t].sum(),
                "That is the ratio of shape to texture. A share divides by both together.",
            ),
            Mistake(
                lambda a, s, t: (s != t).mean(),
                "That is the share of pictures in conflict. The answers do not enter it.",
            ),
            Mistake(
                lambda a, s, t: (a == s)[(a == s) | (a == t)].mean(),
                "Where both cues agree, your count takes a right answer for a choice of shape. Keep only those with `shapes != textures`.",
            ),
        ],
        hints=(
            "First choose the pictures, then count two kinds of answers.",
            "`conflict = shapes != textures`; among these count `answers == shapes` and `answers == textures`.",
            "Shape answers divided by the sum of both counts.",
        ),
    ),
]
