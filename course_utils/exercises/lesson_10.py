"""Exercises of lesson 10: what the famous blocks compute and cost, and how to choose a network for a budget."""

import torch
import torch.nn.functional as F

from course_utils.exercises.bank import Case, Exercise, Mistake


def stack(n, c):
    field = 2 * n + 1
    return field, n * 9 * c * c, field**2 * c * c


def cost_ratio(k, t, c):
    widen, depthwise, narrow = c * t * c, k * k * t * c, t * c * c
    return (widen + depthwise + narrow) / (k * k * c * c)


def residual(x, w1, w2, projection=None, stride=1):
    inner = F.relu(F.conv2d(x, w1, stride=stride, padding=1))
    branch = F.conv2d(inner, w2, padding=1)
    skip = x if projection is None else F.conv2d(x, projection, stride=stride)
    return F.relu(branch + skip)


def squeeze_excite(x, w1, b1, w2, b2):
    average = x.mean((2, 3))
    gate = torch.sigmoid(torch.relu(average @ w1.T + b1) @ w2.T + b2)
    return x * gate[:, :, None, None]


def choose(models, budget_ms, budget_mb):
    fitting = [m for m in models if m[2] <= budget_ms and m[3] <= budget_mb]
    return max(fitting, key=lambda m: m[1])[0] if fitting else None


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _parts(x, w1, w2, projection, stride):
    inner = F.conv2d(x, w1, stride=stride, padding=1)
    shortcut = x if projection is None else F.conv2d(x, projection, stride=stride)
    return inner, shortcut


def _gated(x, w1, b1, w2, b2, squeeze=None, between=torch.relu, gate=torch.sigmoid):
    average = x.mean((2, 3)) if squeeze is None else squeeze(x)
    return x * gate(between(average @ w1.T + b1) @ w2.T + b2)[:, :, None, None]


def _best(models, fits, key=lambda m: m[1]):
    fitting = [m for m in models if fits(m)]
    return max(fitting, key=key)[0] if fitting else None


def _first_choose(models, ms, mb):
    name, _, its_ms, its_mb = max(models, key=lambda m: m[1])
    return name if its_ms <= ms and its_mb <= mb else None


def _after_the_add(x, w1, w2, projection=None, stride=1):
    inner, shortcut = _parts(x, w1, w2, projection, stride)
    return F.relu(F.conv2d(F.relu(inner), w2, padding=1)) + shortcut


def _no_last_relu(x, w1, w2, projection=None, stride=1):
    inner, shortcut = _parts(x, w1, w2, projection, stride)
    return F.conv2d(F.relu(inner), w2, padding=1) + shortcut


def _no_inner_relu(x, w1, w2, projection=None, stride=1):
    inner, shortcut = _parts(x, w1, w2, projection, stride)
    return F.relu(F.conv2d(inner, w2, padding=1) + shortcut)


def _no_shortcut(x, w1, w2, projection=None, stride=1):
    inner, _ = _parts(x, w1, w2, projection, stride)
    return F.relu(F.conv2d(F.relu(inner), w2, padding=1))


def _activated_shortcut(x, w1, w2, projection=None, stride=1):
    inner, shortcut = _parts(x, w1, w2, projection, stride)
    return F.relu(F.conv2d(F.relu(inner), w2, padding=1) + F.relu(shortcut))


def _full_size_shortcut(x, w1, w2, projection=None, stride=1):
    inner, _ = _parts(x, w1, w2, projection, stride)
    shortcut = x if projection is None else F.conv2d(x, projection)
    return F.relu(F.conv2d(F.relu(inner), w2, padding=1) + shortcut)


def _second_stride(x, w1, w2, projection=None, stride=1):
    inner = F.relu(F.conv2d(x, w1, padding=1))
    shortcut = x if projection is None else F.conv2d(x, projection, stride=stride)
    return F.relu(F.conv2d(inner, w2, stride=stride, padding=1) + shortcut)


MODELS = [
    ("small", 67.7, 10.0, 20.0),
    ("thin", 74.4, 40.0, 30.0),
    ("middle", 75.3, 20.0, 45.0),
    ("wide", 80.9, 60.0, 190.0),
    ("large", 82.5, 90.0, 210.0),
]

EXERCISES = [
    Exercise(
        id="10.1",
        title="The weights of a bottleneck",
        reference=69632,
        name="weights",
        mistakes=[
            Mistake(
                36864,
                "That is the 3×3 convolution alone, or the three without its nine places: here both give the same. "
                "Add up the three, the middle one with 9 · 64 · 64.",
            ),
            Mistake(
                53248,
                "One of the 1×1 convolutions is missing: there is one down to 64 and one back up to 256.",
            ),
            Mistake(
                589824,
                "That is a 3×3 convolution at 256 channels, which the bottleneck avoids. Its 3×3 works at 64.",
            ),
            Mistake(
                32768, "Those are the two 1×1 convolutions. The 3×3 in the middle, from 64 to 64, is missing."
            ),
            Mistake(
                36864 * 3,
                "The three have different sizes: only the middle one has a 3×3 kernel at 64 channels.",
            ),
            Mistake(
                70016,
                "Those are the weights and the biases. Asked are the weights alone: a norm follows each one.",
            ),
            Mistake(
                33344,
                "The 3×3 has a kernel for each *pair* of channels: 9 · 64 · 64. You counted it as depthwise.",
            ),
        ],
        hints=(
            "Write the three convolutions one below the other. Each has k · k · (channels in) · (channels out) weights.",
            "1 · 256 · 64 for the first, 9 · 64 · 64 for the second, and the third mirrors the first.",
            "The third goes from 64 back to 256: 1 · 64 · 256. Multiply out each of the three, and add them up.",
        ),
    ),
    Exercise(
        id="10.2",
        title="A stack of 3×3",
        reference=stack,
        cases=[Case(1, 8), Case(2, 16), Case(3, 16), Case(5, 4)],
        mistakes=[
            Mistake(
                lambda n, c: (3 * n, n * 9 * c * c, (3 * n) ** 2 * c * c),
                "The fields do not add up to 3n: each convolution after the first adds 2 pixels, one on each side.",
            ),
            Mistake(
                lambda n, c: (3**n, n * 9 * c * c, 9**n * c * c),
                "The field grows by 2 with each layer; it would only be multiplied with stride 3.",
            ),
            Mistake(
                lambda n, c: (2 * n + 1, n * 9 * c, (2 * n + 1) ** 2 * c),
                "Each convolution has a kernel for every pair of an input and an output channel: c · c of them.",
            ),
            Mistake(
                lambda n, c: (2 * n + 1, 9 * c * c, (2 * n + 1) ** 2 * c * c),
                "Those are the weights of one layer of the stack. There are n.",
            ),
            Mistake(
                lambda n, c: (2 * n + 1, n * 9 * c * c, (2 * n + 1) * c * c),
                "A kernel is a square: its weights grow with the square of its side.",
            ),
            Mistake(
                lambda n, c: (2 * n + 1, (2 * n + 1) ** 2 * c * c, n * 9 * c * c),
                "The two counts are exchanged: first the stack, then the single convolution.",
            ),
            Mistake(
                lambda n, c: (2 * n + 1, n * 9 * c * c + n * c, (2 * n + 1) ** 2 * c * c + c),
                "You counted biases. These convolutions have none.",
            ),
        ],
        hints=(
            "How many pixels does a second 3×3 see beyond the first, on each side?",
            "The field is 2n + 1. One convolution with k×k has k · k · c · c weights.",
            "Return (2n + 1, n · 9 · c², (2n + 1)² · c²).",
        ),
    ),
    Exercise(
        id="10.3",
        title="What an inverted bottleneck costs",
        reference=cost_ratio,
        cases=[Case(3, 6, 32), Case(5, 4, 16), Case(3, 1, 24), Case(7, 4, 96)],
        mistakes=[
            Mistake(
                lambda k, t, c: (2 * t * c * c + k * k * c) / (k * k * c * c),
                "The depthwise convolution runs on the widened channels: there are t · c of them.",
            ),
            Mistake(
                lambda k, t, c: (t * c * c + k * k * t * c) / (k * k * c * c),
                "There are two 1×1 convolutions: one widens, and one goes back to c channels.",
            ),
            Mistake(
                lambda k, t, c: 2 * t / k**2,
                "Those are the two 1×1 convolutions. The depthwise one between them costs too.",
            ),
            Mistake(
                lambda k, t, c: (2 * t * c * c + k * k * (t * c) ** 2) / (k * k * c * c),
                "You counted the middle one as a full convolution. Depthwise, each channel has one k×k kernel.",
            ),
            Mistake(
                lambda k, t, c: (2 * t * c * c + k * k * t * c) / (k * k * (t * c) ** 2),
                "You compared with a full convolution on t · c channels. Asked is one with c in and c out.",
            ),
            Mistake(
                lambda k, t, c: (k * k * c * c) / (2 * t * c * c + k * k * t * c),
                "That is the full convolution's cost over the block's. Asked is the block's over the full one's.",
            ),
            Mistake(
                lambda k, t, c: (2 * t * c * c + k * t * c) / (k * c * c),
                "A kernel is a square: it has k · k weights, in the depthwise and in the full convolution.",
            ),
            Mistake(
                lambda k, t, c: 1 / c + 1 / k**2,
                "That is the depthwise separable convolution of the lesson. This block widens first, by t.",
            ),
        ],
        hints=(
            "Count the multiplications for one pixel of the output, in each of the block's three convolutions and in the full one.",
            "Widen: c · tc. Depthwise on tc channels: k² · tc. Narrow: tc · c. The full one: k² · c · c.",
            "The sum of the first three over the fourth is 2t / k² + t / c.",
        ),
    ),
    Exercise(
        id="10.4",
        title="A residual block",
        reference=residual,
        cases=[
            Case(_random(2, 3, 6, 6), _random(3, 3, 3, 3, seed=1), _random(3, 3, 3, 3, seed=2)),
            Case(
                _random(1, 2, 6, 6),
                _random(4, 2, 3, 3, seed=1),
                _random(4, 4, 3, 3, seed=2),
                _random(4, 2, 1, 1, seed=3),
                2,
            ),
            Case(
                _random(1, 2, 5, 5),
                _random(4, 2, 3, 3, seed=4),
                _random(4, 4, 3, 3, seed=5),
                _random(4, 2, 1, 1, seed=6),
            ),
        ],
        mistakes=[
            Mistake(
                _after_the_add,
                "The last ReLU comes after the sum. Before it, the branch could only ever add, never take away.",
            ),
            Mistake(_no_last_relu, "The last ReLU is missing: it comes after the sum."),
            Mistake(
                _no_inner_relu,
                "There is a ReLU between the two convolutions. Without it they are one linear map.",
            ),
            Mistake(
                _no_shortcut,
                "That is a plain block: the skip is not added.",
            ),
            Mistake(
                _activated_shortcut,
                "The skip goes through a ReLU of its own. It is added as it is: that is what lets the signal through.",
            ),
            Mistake(
                _second_stride,
                "The stride belongs to the first convolution; here the second one has it.",
            ),
            Mistake(
                _full_size_shortcut,
                "At stride 2 the branch and the skip get different sizes. The stride belongs to the first convolution "
                "and to the projection, to nothing else.",
            ),
        ],
        hints=(
            "Write the branch first: convolution, ReLU, convolution. Then the skip, then one line that joins them.",
            "`F.conv2d(x, w1, stride=stride, padding=1)`; the second without stride; the projection with stride and without padding.",
            "The last line is `return F.relu(branch + skip)`.",
        ),
    ),
    Exercise(
        id="10.5",
        title="Squeeze-and-excitation by hand",
        reference=squeeze_excite,
        cases=[
            Case(
                _random(2, 4, 3, 5),
                _random(2, 4, seed=1),
                _random(2, seed=2),
                _random(4, 2, seed=3),
                _random(4, seed=4),
            ),
            Case(
                _random(3, 6, 4, 4, seed=5),
                _random(3, 6, seed=6),
                _random(3, seed=7),
                _random(6, 3, seed=8),
                _random(6, seed=9),
            ),
        ],
        mistakes=[
            Mistake(
                lambda x, w1, b1, w2, b2: _gated(x, w1, b1, w2, b2, gate=lambda z: z.softmax(1)),
                "A softmax makes the channels compete for a sum of 1. The gate is a sigmoid: each channel on its own.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: _gated(x, w1, b1, w2, b2, gate=lambda z: z),
                "The sigmoid is missing: a gate lies between 0 and 1.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: _gated(x, w1, b1, w2, b2, between=lambda z: z),
                "The ReLU between the two matrices is missing.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: _gated(x, w1, b1, w2, b2, squeeze=lambda t: t.amax((2, 3))),
                "You squeezed with the maximum. It is the mean over the pixels.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: _gated(x, w1, b1, w2, b2, squeeze=lambda t: t.sum((2, 3))),
                "You squeezed with the sum, which grows with the size of the picture. It is the mean.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: _gated(
                    x, w1, b1, w2, b2, squeeze=lambda t: t.mean((0, 2, 3)).expand(len(t), -1)
                ),
                "You averaged over the batch too: every picture has its own gates.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: x + _gated(x, w1, b1, w2, b2),
                "The gated x is the result. It is not added to x.",
            ),
            Mistake(
                lambda x, w1, b1, w2, b2: (
                    x + _gated(torch.ones_like(x), w1, b1, w2, b2, lambda _: x.mean((2, 3)))
                ),
                "The gate multiplies the channel. You added it.",
            ),
        ],
        hints=(
            "Three steps: one number for each channel, a gate for each channel, a product.",
            "The mean over the last two axes is (N, C). Then `@ w1.T + b1`, ReLU, `@ w2.T + b2`, sigmoid.",
            "Give the gate two axes of size 1, `gate[:, :, None, None]`, and multiply.",
        ),
    ),
    Exercise(
        id="10.6",
        title="A network for a budget",
        reference=choose,
        cases=[
            Case(MODELS, 25.0, 40.0),
            Case(MODELS, 60.0, 190.0),
            Case(MODELS, 5.0, 500.0),
            Case(MODELS, 100.0, 200.0),
            Case(MODELS[::-1], 50.0, 300.0),
            Case(MODELS[1:] + MODELS[:1], 60.0, 190.0),
            Case([("dense", 72.0, 30.0, 15.0), ("fast", 70.0, 10.0, 45.0), MODELS[2]], 30.0, 50.0),
            Case(
                [("quick", 60.0, 10.0, 30.0), ("weak", 50.0, 20.0, 20.0), ("good", 80.0, 12.0, 40.0)],
                30.0,
                50.0,
            ),
        ],
        mistakes=[
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[2] <= ms),
                "You kept to the milliseconds only. The memory has a budget too.",
            ),
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[3] <= mb),
                "You kept to the memory only. The latency has a budget too.",
            ),
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[2] <= ms or m[3] <= mb),
                "Both budgets have to be met: `and`, not `or`.",
            ),
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[2] < ms and m[3] < mb),
                "A budget that is met exactly is met: `<=`.",
            ),
            Mistake(
                lambda models, ms, mb: _best(
                    models, lambda m: m[2] <= ms and m[3] <= mb, key=lambda m: -m[2]
                ),
                "That is the fastest one that fits. Within the budgets, accuracy decides.",
            ),
            Mistake(
                lambda models, ms, mb: _best(
                    models, lambda m: m[2] <= ms and m[3] <= mb, key=lambda m: -m[3]
                ),
                "That is the one that needs the fewest MB. Whatever fits is small enough: compare the accuracies.",
            ),
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[2] <= ms and m[3] <= mb, key=lambda m: m),
                "`max` of tuples compares the names. Give the accuracy as the key.",
            ),
            Mistake(
                _first_choose,
                "You chose first and checked afterwards. Throw out what does not fit, then choose.",
            ),
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[2] <= ms and m[3] <= mb, key=lambda m: 0),
                "That is the first one in the list that fits. Go through all of them: accuracy decides.",
            ),
            Mistake(
                lambda models, ms, mb: _best(models, lambda m: m[3] <= ms and m[2] <= mb),
                "The columns are exchanged: the third entry is ms, the fourth MB.",
            ),
        ],
        hints=(
            "First throw out what does not fit, then look at the accuracies.",
            "A list of the models that fit; `max` with a key; and the case that the list is empty.",
            "`max(fitting, key=lambda m: m[1])[0] if fitting else None`.",
        ),
    ),
]
