"""Exercises of lesson 11: rates per layer, unfreezing, batch-norm switches, nearest mean, folding, labels saved."""

import math

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def decay_for(ratio, layers):
    return ratio ** (-1 / (layers - 1))


def trainable(step, every, layers):
    awake = min(layers, 1 + step // every)
    return [layer >= layers - awake for layer in range(layers)]


def by_angle(features, targets, queries):
    def unit(a):
        return a / np.linalg.norm(a, axis=1, keepdims=True)

    classes = np.unique(targets)
    means = np.stack([unit(features)[targets == k].mean(0) for k in classes])
    return classes[(unit(queries) @ unit(means).T).argmax(1)]


def fold(weight, mean, std):
    folded = weight / std[None, :, None, None]
    bias = -(folded * mean[None, :, None, None]).sum((1, 2, 3))
    return folded, bias


def more_channels(weight, channels):
    order = np.arange(channels) % 3
    return weight[:, order] * 3 / channels


def labels_needed(labels, accuracy, target):
    if accuracy[0] >= target:
        return labels[0]
    for i in range(1, len(labels)):
        if accuracy[i] >= target:
            share = (target - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1])
            low, high = math.log(labels[i - 1]), math.log(labels[i])
            return math.exp(low + share * (high - low))
    return None


def _unit(a):
    return a / np.linalg.norm(a, axis=1, keepdims=True)


def _by_similarity(features, targets, queries, pool):
    classes = np.unique(targets)
    means = np.stack([pool(features[targets == k]) for k in classes])
    return classes[(_unit(queries) @ means.T).argmax(1)]


def _by_distance(features, targets, queries):
    classes = np.unique(targets)
    means = np.stack([features[targets == k].mean(0) for k in classes])
    return classes[((queries[:, None] - means) ** 2).sum(-1).argmin(1)]


def _lesson_nearest_mean(features, targets, queries):
    return np.searchsorted(np.unique(targets), _by_distance(features, targets, queries))


def _means_of_raw(features, targets, queries):
    return _by_similarity(features, targets, queries, lambda a: _unit(a.mean(0)[None])[0])


def _positions(features, targets, queries):
    return np.searchsorted(np.unique(targets), by_angle(features, targets, queries))


def _farthest(features, targets, queries):
    classes = np.unique(targets)
    means = np.stack([_unit(features)[targets == k].mean(0) for k in classes])
    return classes[(_unit(queries) @ _unit(means).T).argmin(1)]


def _linear_between(labels, accuracy, target):
    if max(accuracy) < target:
        return None
    i = next(i for i, a in enumerate(accuracy) if a >= target)
    if i == 0:
        return labels[0]
    share = (target - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1])
    return labels[i - 1] + share * (labels[i] - labels[i - 1])


def _next_size(labels, accuracy, target):
    return next((n for n, a in zip(labels, accuracy, strict=True) if a >= target), None)


def _still_log(labels, accuracy, target):
    found = labels_needed(labels, accuracy, target)
    return found if found is None or found == labels[0] else math.log(found)


def _last_crossing(labels, accuracy, target):
    found = None
    for i in range(1, len(labels)):
        if accuracy[i - 1] < target <= accuracy[i]:
            share = (target - accuracy[i - 1]) / (accuracy[i] - accuracy[i - 1])
            found = labels[i - 1] * (labels[i] / labels[i - 1]) ** share
    return labels[0] if found is None and accuracy[0] >= target else found


def _interp(labels, accuracy, target):
    return None if max(accuracy) < target else np.exp(np.interp(target, accuracy, np.log(labels)))


def _best_so_far(labels, accuracy, target):
    return labels_needed(labels, np.maximum.accumulate(accuracy), target)


def _above(labels, accuracy, target):
    return labels_needed(labels, accuracy, np.nextafter(target, 2))


def _normal(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).round(2)


def _clouds(seed, names, lengths):
    """Features (N, 4) whose vectors differ much in length within a class, their classes, and queries (20, 4)."""
    rng = np.random.default_rng(seed)
    targets = np.repeat(names, 4)
    middle = np.repeat(rng.normal(size=(len(names), 4)), 4, axis=0)
    features = (middle + 0.7 * rng.normal(size=middle.shape)) * rng.choice(lengths, (len(targets), 1))
    return features.round(2), targets, rng.normal(size=(20, 4)).round(2)


_CLOUDS = [Case(*_clouds(3, [2, 5, 9], [0.2, 1, 6])), Case(*_clouds(8, [1, 4], [0.3, 1, 8]))]
_KERNELS = [
    Case(_normal((2, 3, 3, 3), 1), np.array([0.48, 0.45, 0.40]), np.array([0.23, 0.22, 0.25])),
    Case(_normal((3, 3, 2, 2), 2), np.array([0.5, 0.1, 0.9]), np.array([0.5, 2.0, 0.1])),
]
_STEMS = [
    Case(_normal((2, 3, 3, 3), 4), 6),
    Case(_normal((4, 3, 2, 2), 5), 5),
    Case(_normal((1, 3, 1, 1), 6), 4),
]
_CURVES = [
    Case([25, 100, 400], [0.6, 0.7, 0.9], 0.8),
    Case([10, 100, 1000], [0.5, 0.6, 0.85], 0.55),
    Case([10, 100, 1000], [0.5, 0.6, 0.85], 0.9),
    Case([10, 100, 1000], [0.7, 0.75, 0.85], 0.65),
    Case([10, 20, 40, 80, 160], [0.5, 0.75, 0.6, 0.65, 0.9], 0.7),
    Case([10, 20, 40, 80], [0.5, 0.7, 0.6, 0.65], 0.66),
    Case([10, 100], [0.5, 0.8], 0.8),
    Case([10, 20, 40, 80], [0.5, 0.7, 0.6, 0.9], 0.8),
]

EXERCISES = [
    Exercise(
        id="11.1",
        title="How steep?",
        reference=decay_for,
        cases=[Case(100, 3), Case(10, 8), Case(1, 5), Case(64, 7)],
        mistakes=[
            Mistake(
                lambda ratio, layers: ratio ** (-1 / layers),
                "Between the first and the last of `layers` layers lie `layers - 1` steps, not `layers`.",
            ),
            Mistake(
                lambda ratio, layers: ratio ** (1 / (layers - 1)),
                "That factor is above 1: each earlier layer would learn faster. The decay is its reciprocal.",
            ),
            Mistake(
                lambda ratio, layers: 1 / (ratio * (layers - 1)),
                "The rates form a geometric series: the factor is applied again at each step. So you need a root, not a division.",
            ),
            Mistake(
                lambda ratio, layers: 1 - (1 - 1 / ratio) / (layers - 1),
                "That divides the way evenly, as on a straight line. Here every step multiplies by the same factor.",
            ),
            Mistake(
                lambda ratio, layers: 1 / ratio,
                "That is the whole way from the last layer to the first. `decay` is one step of it.",
            ),
        ],
        hints=(
            "From the last layer to the first the rate is multiplied by `decay` again and again. How often?",
            "Solve decay ** (layers - 1) = 1 / ratio for decay.",
            "A root is a power with a fraction: ratio ** (-1 / (layers - 1)).",
        ),
    ),
    Exercise(
        id="11.2",
        title="Who is awake?",
        reference=trainable,
        cases=[
            Case(0, 10, 4),
            Case(9, 10, 4),
            Case(10, 10, 4),
            Case(25, 10, 4),
            Case(45, 10, 4),
            Case(500, 10, 4),
            Case(3, 1, 5),
        ],
        mistakes=[
            Mistake(
                lambda step, every, layers: [
                    layer < min(layers, 1 + step // every) for layer in range(layers)
                ],
                "You wake the first layer first. Layers stand in the order of the forward pass, and the head, the last, wakes first.",
            ),
            Mistake(
                lambda step, every, layers: [
                    layer >= layers - min(layers, step // every) for layer in range(layers)
                ],
                "At step 0 nothing would learn. The head is awake from the start.",
            ),
            Mistake(
                lambda step, every, layers: [
                    layer == max(0, layers - 1 - step // every) for layer in range(layers)
                ],
                "Only one layer is awake at a time. A layer that has been woken stays awake.",
            ),
            Mistake(
                lambda step, every, layers: [layer == layers - 1 - step // every for layer in range(layers)],
                "You ask for the layer that woke last, with `==`. Those behind it stay awake: `>=`.",
            ),
            Mistake(
                lambda step, every, layers: [
                    layer in range(layers)[layers - 1 - step // every :] for layer in range(layers)
                ],
                "Your start index falls below 0 and counts from the end: late in training some layers fall asleep "
                "again. Stop at 0.",
            ),
            Mistake(
                lambda step, every, layers: [
                    layer >= layers - min(layers, 1 + -(-step // every)) for layer in range(layers)
                ],
                "You round up: the second layer wakes at step 1. It wakes when `every` steps have been made.",
            ),
            Mistake(
                lambda step, every, layers: [
                    layer >= layers - min(layers, 1 + (step + 1) // every) for layer in range(layers)
                ],
                "One step early. Steps count from 0, so the first `every` of them are 0 to `every - 1`.",
            ),
            Mistake(
                lambda step, every, layers: [
                    layer < layers - min(layers, 1 + step // every) for layer in range(layers)
                ],
                "Turned round: True stands for a layer that learns.",
            ),
        ],
        hints=(
            "First count the layers that are awake at this step. Then ask which ones they are.",
            "One at the start, one more after each `every` steps, never more than there are.",
            "awake = min(layers, 1 + step // every); layer k is awake when k >= layers - awake.",
        ),
    ),
    Exercise(
        id="11.3",
        title="Six switches",
        reference=[True, False, True, False, False, True],
        name="switches",
        mistakes=[
            Mistake(
                [True, False, False, False, False, True],
                "`requires_grad_(False)` stops the optimizer, and it alone. In `train()` the running mean is no gradient's business: it moves.",
            ),
            Mistake(
                [True, False, True, False, False, False],
                "`eval()` fixes which statistics are used and stops their average. The scale still gets a gradient, and the optimizer moves it.",
            ),
            Mistake(
                [True, False, False, False, False, False],
                "You let one switch do the work of both. `train()`/`eval()` rules the running mean, `requires_grad` rules the scale.",
            ),
            Mistake(
                [True, True, True, True, False, True],
                "The running means are right. The scale needs a gradient: without a graph (`no_grad`) there is none, and none with `requires_grad_(False)`.",
            ),
            Mistake(
                [False, False, True, False, False, True],
                "A forward pass in `train()` moves the running mean, with or without a graph: nothing in it asks for gradients.",
            ),
            Mistake(
                [True, False, True, False, True, True],
                "In `eval()` the running mean is used and not updated. It stays for good.",
            ),
            Mistake(
                [True, False, True, True, False, True],
                "Without `requires_grad` the scale gets no gradient, and the optimizer leaves it alone.",
            ),
            Mistake(
                [False, False, False, False, False, True],
                "Neither `no_grad` nor `requires_grad` touches the running mean. Only `train()` and `eval()` rule it.",
            ),
            Mistake(
                [False] * 6,
                "Each setting leaves something to learn or to average. Ask for the two numbers one by one.",
            ),
        ],
        hints=(
            "There are two independent switches. Which one belongs to the running mean, which one to the scale?",
            "The running mean moves in every forward pass in `train()`. The scale moves when it gets a gradient and the optimizer steps.",
            "Pairs (running mean, scale): no_grad moves only the first, requires_grad=False in train() too, eval() only the second.",
        ),
    ),
    Exercise(
        id="11.4",
        title="Nearest class mean, by angle",
        reference=by_angle,
        cases=_CLOUDS,
        mistakes=[
            Mistake(
                _by_distance,
                "That is the Euclidean distance of the raw features: long vectors pull the mean. Scale everything to length 1 first.",
            ),
            Mistake(
                _lesson_nearest_mean,
                "Two slips: a distance between raw features, where long vectors pull the mean, and the position of the class in the sorted list. Scale to length 1 first, and return the class itself.",
            ),
            Mistake(
                lambda features, targets, queries: _by_distance(_unit(features), targets, _unit(queries)),
                "The means of unit vectors are shorter than 1, and a distance to them depends on how short. Scale the means to length 1 again.",
            ),
            Mistake(
                _means_of_raw,
                "The means are taken before the features have length 1, so a long vector counts more. Scale first, then average.",
            ),
            Mistake(
                lambda features, targets, queries: _by_similarity(
                    features, targets, queries, lambda a: a.mean(0)
                ),
                "Features and means have their own lengths. Scale each row: `axis=1, keepdims=True`.",
            ),
            Mistake(
                lambda features, targets, queries: _by_similarity(
                    _unit(features), targets, queries, lambda a: a.mean(0)
                ),
                "The means of unit vectors are shorter than 1, the more a class is spread out. Scale the means to length 1 again.",
            ),
            Mistake(
                lambda features, targets, queries: targets[(_unit(queries) @ _unit(features).T).argmax(1)],
                "That is the nearest single example. Average each class first: one odd example must not decide.",
            ),
            Mistake(
                _positions,
                "That gives the position of the class in the sorted list. Return the class itself, as `targets` names it.",
            ),
            Mistake(
                _farthest,
                "The cosine is a likeness, not a distance: the largest wins.",
            ),
        ],
        hints=(
            "A cosine looks at directions alone. What must be done to features, means and queries?",
            "Unit length, mean of each class, unit length again; then the largest dot product.",
            "classes = np.unique(targets); classes[(unit(queries) @ unit(means).T).argmax(1)].",
        ),
    ),
    Exercise(
        id="11.5",
        title="Ship it without preprocessing",
        reference=fold,
        cases=_KERNELS,
        mistakes=[
            Mistake(
                lambda w, mean, std: (
                    w * std[None, :, None, None],
                    -(w * std[None, :, None, None] * mean[None, :, None, None]).sum((1, 2, 3)),
                ),
                "The picture is divided by std, and so is the kernel that takes over the division.",
            ),
            Mistake(
                lambda w, mean, std: (
                    w / std[None, :, None, None],
                    (w / std[None, :, None, None] * mean[None, :, None, None]).sum((1, 2, 3)),
                ),
                "The sign of the bias: the mean is subtracted.",
            ),
            Mistake(
                lambda w, mean, std: (
                    w / std[None, :, None, None],
                    -(w * mean[None, :, None, None]).sum((1, 2, 3)),
                ),
                "The bias lacks the division by std: (x - mean) / std subtracts mean / std.",
            ),
            Mistake(
                lambda w, mean, std: (
                    w / std[None, :, None, None],
                    -(w / std[None, :, None, None] * (mean / std)[None, :, None, None]).sum((1, 2, 3)),
                ),
                "The new kernel is already divided by std. Your bias divides twice.",
            ),
            Mistake(
                lambda w, mean, std: (w / std, -(w / std * mean).sum((1, 2, 3))),
                "`std` was spread over the last axis of the kernel, which is its width. `std[None, :, None, None]` puts it "
                "on the channels.",
            ),
            Mistake(
                lambda w, mean, std: (w / std, -(w / std * mean[None, :, None, None]).sum((1, 2, 3))),
                "The mean stands on the channels, but `std` on the width of the kernel: give it the same new axes.",
            ),
            Mistake(
                lambda w, mean, std: (
                    w / std[None, :, None, None],
                    -((w / std[None, :, None, None]).mean((2, 3)) * mean).sum(1),
                ),
                "The mean is subtracted under every weight of the kernel: sum over its window, do not average.",
            ),
            Mistake(
                lambda w, mean, std: (w / std[None, :, None, None], np.zeros(len(w))),
                "The kernel is right, but the subtraction of the mean is lost. A bias for each output channel takes it over.",
            ),
            Mistake(
                lambda w, mean, std: (
                    w / std.mean(),
                    -(w / std.mean() * mean.mean()).sum((1, 2, 3)),
                ),
                "One mean and one std for all colours. Each input channel has its own.",
            ),
        ],
        hints=(
            "Write w · (x - mean) / std as something times x, plus something without x.",
            "The part with x gives the new kernel, one division for each input channel. The rest, summed over a kernel, is the bias.",
            "folded = weight / std[None, :, None, None]; bias = -(folded * mean[None, :, None, None]).sum((1, 2, 3)).",
        ),
    ),
    Exercise(
        id="11.6",
        title="Six colours into three",
        reference=more_channels,
        cases=_STEMS,
        mistakes=[
            Mistake(
                lambda w, channels: w[:, np.arange(channels) % 3],
                "Unscaled: with twice the channels the sums are twice as large, and the next layer has never seen such values.",
            ),
            Mistake(
                lambda w, channels: w[:, np.arange(channels) % 3] * channels / 3,
                "The factor is turned round: more channels need smaller weights.",
            ),
            Mistake(
                lambda w, channels: w[:, np.arange(channels) % 3] / channels,
                "The old sum had three terms. For the new one to be as large, scale by 3 / channels.",
            ),
            Mistake(
                lambda w, channels: (
                    w[:, np.arange(channels) % 3]
                    / np.bincount(np.arange(channels) % 3)[np.arange(channels) % 3][:, None, None]
                ),
                "You divide each colour by how often it occurs. That keeps equal channels exactly; asked for is one factor for all, 3 / channels.",
            ),
            Mistake(
                lambda w, channels: w[:, np.arange(channels) * 3 // channels] * 3 / channels,
                "You repeat each colour in a block. Asked for is red, green, blue, red, green, and so on.",
            ),
            Mistake(
                lambda w, channels: np.repeat(w.mean(1, keepdims=True), channels, axis=1) * 3 / channels,
                "That is the mean kernel in every channel: the network can no longer tell colours apart.",
            ),
            Mistake(
                lambda w, channels: np.concatenate(
                    [w, np.zeros((w.shape[0], channels - 3, *w.shape[2:]))], axis=1
                ),
                "The new channels have zero kernels, so the network does not look at them.",
            ),
        ],
        hints=(
            "Two questions: which kernel does channel k get, and how large may the sum be?",
            "Channel k gets the kernel of colour k % 3. Three terms have become `channels` terms.",
            "weight[:, np.arange(channels) % 3] * 3 / channels.",
        ),
    ),
    Exercise(
        id="11.7",
        title="What is a label worth?",
        reference=labels_needed,
        cases=_CURVES,
        mistakes=[
            Mistake(
                _linear_between,
                "You interpolate on a straight axis of labels. The curve is drawn over a logarithmic one; there it is nearly straight.",
            ),
            Mistake(
                _next_size,
                "That is the next measured size. Interpolate between it and the one before.",
            ),
            Mistake(
                lambda labels, accuracy, target: (
                    labels[-1] if max(accuracy) < target else labels_needed(labels, accuracy, target)
                ),
                "A curve that never reaches the target gives no number of labels. Return None instead of the largest size.",
            ),
            Mistake(
                _still_log,
                "That is the logarithm of the number of labels. exp() turns it back.",
            ),
            Mistake(
                _last_crossing,
                "Measured curves go up and down. Take the first crossing, not the last.",
            ),
            Mistake(
                _best_so_far,
                "You interpolate from the best accuracy so far. The straight line starts at the size before the crossing, even where the curve has dipped.",
            ),
            Mistake(
                _above,
                "A target that is met exactly is reached: `>=`, not `>`.",
            ),
            Mistake(
                _interp,
                "`np.interp` needs accuracies that rise. This curve falls in between: look for the first crossing yourself.",
            ),
            Mistake(
                lambda labels, accuracy, target: (
                    None if accuracy[-1] < target else labels_needed(labels, accuracy, target)
                ),
                "You looked at the last size only. The curve may have reached the target before and fallen again.",
            ),
        ],
        hints=(
            "Find the first size that reaches the target. What if it is the very first, or if there is none?",
            "Between two sizes a and b the logarithm of the labels grows in proportion to the accuracy.",
            "share = (target - acc[i-1]) / (acc[i] - acc[i-1]); exp(log a + share · (log b - log a)).",
        ),
    ),
]
