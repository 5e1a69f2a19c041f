"""Exercises of lesson 03: which pixels a layer reads, how many values it gives, and where it looks.

``shape_report`` is the lesson's predict-then-check table: it says for each row which usual slip explains a wrong shape.
"""

import math
import sys
from numbers import Real

import numpy as np

from course_utils.exercises.bank import Case, Exercise, Mistake


def input_sizes(out, k, stride, padding, dilation):
    smallest = (out - 1) * stride + dilation * (k - 1) + 1 - 2 * padding
    return smallest, smallest + stride - 1


def never_read(n, k, stride, padding, dilation):
    read = set()
    first = -padding
    while first + dilation * (k - 1) < n + padding:
        read.update(first + dilation * a for a in range(k))
        first += stride
    return [pixel for pixel in range(n) if pixel not in read]


def output_pixel(x, w, i, j, stride=1, padding=0, dilation=1):
    total = 0.0
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            row = i * stride + a * dilation - padding
            column = j * stride + b * dilation - padding
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:  # padding is zero
                total += x[row, column] * w[a, b]
    return total


def same_padding(n, k, stride):
    out = math.ceil(n / stride)
    total = max((out - 1) * stride + k - n, 0)
    return total // 2, total - total // 2


def apparent_frequency(f, stride):
    turns = f * stride % 1
    return min(turns, 1 - turns)


def transposed(y, w, stride, padding):
    full = np.zeros((len(y) - 1) * stride + len(w))
    for i, value in enumerate(y):
        full[i * stride : i * stride + len(w)] += value * w
    return full[padding : len(full) - padding]


def window(layers, i):
    first = last = i
    for k, stride, padding, dilation in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + dilation * (k - 1)
    return first, last


# The predict-then-check table.


def _convolved(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


def _enlarged(n, k, s, p, d):
    return (n - 1) * s - 2 * p + d * (k - 1) + 1


# A slip: the sentence, and the size (height or width) that it gives.
_SLIPS = [
    ("The padding is forgotten: it adds 2p pixels.", lambda n, k, s, p, d: _convolved(n, k, s, 0, d)),
    ("The padding is counted once; it stands at both ends.", lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1),
    ("The division is rounded up; a window that does not fit is left out.", lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1),
    ("The + 1 is missing: the window at the start counts too.", lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s),
    ("The dilation is forgotten: the kernel reaches over d(k - 1) + 1 pixels.", lambda n, k, s, p, d: _convolved(n, k, s, p, 1)),
    ("A dilated kernel reaches over d(k - 1) + 1 pixels, not d·k.", lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1),
    ("The stride is forgotten.", lambda n, k, s, p, d: _convolved(n, k, 1, p, d)),
    ("That is n / stride, as if the padding were 'same'.", lambda n, k, s, p, d: -(-n // s)),
    ("That is n // stride; kernel and padding count too.", lambda n, k, s, p, d: n // s),
]  # fmt: skip
_SLIPS_TRANSPOSED = [
    ("That is a convolution's size. A transposed one enlarges.", _convolved),
    ("Padding is cut off a transposed convolution's output, at both ends.", lambda n, k, s, p, d: _enlarged(n, k, s, 0, d)),
    ("A transposed convolution's padding makes the output smaller.", lambda n, k, s, p, d: _enlarged(n, k, s, -p, d)),
    ("That is n · stride; the last copy of the kernel starts at (n - 1) · stride.", lambda n, k, s, p, d: n * s),
    ("n copies of the kernel begin at n places, the last at (n - 1) · stride, not at n · stride.", lambda n, k, s, p, d: _enlarged(n + 1, k, s, p, d)),
]  # fmt: skip


def shape_report(layers, shape, predicted) -> list[str]:
    """Show a table that says of each predicted shape whether it is right, and which usual slip explains a wrong one.

    ``layers``: PyTorch layers in order; ``shape``: (channels, height, width) of the input; ``predicted``: one such triple for
    each layer, or ``...``. Returns the verdicts. What is true comes from running the layers, and is not shown. A row is
    judged on its true input and on the shape predicted in the row above, so that one slip is told once. Lesson 03.

    >>> from torch import nn
    >>> lenet = [nn.Conv2d(1, 6, 5), nn.MaxPool2d(2)]
    >>> verdicts = shape_report(lenet, (1, 28, 28), [(6, 28, 28), (6, 14, 14)])
    conv 1→6, kernel 5 · (6, 28, 28) · Wrong. That is n / stride, as if the padding were 'same'.
    max-pool, kernel 2, stride 2 · (6, 14, 14) · Follows from your row above; the slip is there.
    >>> shape_report(lenet, (1, 28, 28), np.array([[6, 24, 24], [6, 12, 12]])) == ["Right.", "Right."]
    conv 1→6, kernel 5 · (6, 24, 24) · Right.
    max-pool, kernel 2, stride 2 · (6, 12, 12) · Right.
    True
    """
    import torch

    if hasattr(predicted, "tolist"):  # an array or a tensor
        predicted = predicted.tolist()
    if not isinstance(predicted, (list, tuple)):
        _show(
            "Nothing is predicted yet. Fill in the shapes and run this cell again: it names the slip in each wrong row."
        )
        return []
    verdicts, rows, true_in, own_in = [], [], tuple(shape), tuple(shape)
    for layer, guess in zip(layers, [*predicted, *[None] * len(layers)], strict=False):
        with torch.no_grad():
            truth = tuple(layer(torch.zeros(1, *true_in)).shape[1:])
        guess = None if guess is None or guess is ... else _whole(guess)
        verdicts.append(_judged(layer, guess, truth, true_in, own_in))
        rows.append((_described(layer), "–" if guess is None else str(guess), verdicts[-1]))
        true_in, own_in = truth, tuple(guess) if _is_shape(guess) else truth
    _show_table(("layer", "your prediction", "verdict"), rows)
    return verdicts


def _judged(layer, guess, truth, true_in, own_in) -> str:
    if guess is None:
        return "Not predicted yet."
    if not _is_shape(guess):
        return "Wrong. Write three whole numbers: (channels, height, width), without the batch."
    guess, (c, h, w) = tuple(guess), truth
    if guess == truth:
        return "Right."
    if guess == (getattr(layer, "out_channels", own_in[0]), *_sizes(layer, own_in)):
        return "Follows from your row above; the slip is there."
    if guess in ((h, w, c), (c, w, h)) and h != w:
        return "Wrong. " + (
            "Channels come first." if guess == (h, w, c) else "Height and width are exchanged."
        )
    found = []
    if guess[0] != c:
        new = hasattr(layer, "out_channels")
        found.append(
            "The channels: " + ("as many come out as it has kernels." if new else "pooling keeps them.")
        )
    if guess[1:] not in (truth[1:], _sizes(layer, own_in)):
        found.append(_slip(layer, guess[1:], (own_in, true_in)))
    return "Wrong. " + " ".join(found)


def _slip(layer, sizes, inputs) -> str:
    numbers = _numbers(layer)
    for _, *start in inputs:
        for sentence, size in _SLIPS_TRANSPOSED if _enlarges(layer) else _SLIPS:
            if tuple(size(n, *numbers) for n in start) == sizes:
                return sentence
    (k, s, p, d), n = numbers, inputs[-1][1]
    if _enlarges(layer):
        return f"No usual slip gives this. The height: ({n} - 1)·{s} + {d}·({k} - 1) + 1 - 2·{p}."
    return f"No usual slip gives this. The height: ({n} + 2·{p} - {d}·({k} - 1) - 1) / {s}, rounded down, plus 1."


def _sizes(layer, shape) -> tuple[int, int]:
    size = _enlarged if _enlarges(layer) else _convolved
    return tuple(size(n, *_numbers(layer)) for n in shape[1:])


def _numbers(layer) -> list[int]:
    names = ("kernel_size", "stride", "padding", "dilation")
    return [v if isinstance(v, int) else v[0] for v in (getattr(layer, name) for name in names)]


def _enlarges(layer) -> bool:
    return "Transpose" in type(layer).__name__


def _whole(guess):
    """A shape of whole numbers as ints, whatever their type; anything else as it is."""
    values = guess.tolist() if hasattr(guess, "tolist") else guess
    if not isinstance(values, (tuple, list)) or not all(isinstance(v, Real) for v in values):
        return guess
    return tuple(int(v) for v in values) if all(float(v).is_integer() for v in values) else guess


def _is_shape(guess) -> bool:
    return isinstance(guess, (tuple, list)) and len(guess) == 3 and all(isinstance(v, int) for v in guess)


def _described(layer) -> str:
    k, s, p, d = _numbers(layer)
    kind = {"Conv2d": "conv", "MaxPool2d": "max-pool", "ConvTranspose2d": "transposed conv"}
    text = kind.get(type(layer).__name__, type(layer).__name__)
    if hasattr(layer, "out_channels"):
        text += f" {layer.in_channels}→{layer.out_channels}"
    text += (
        f", kernel {k}" + f", stride {s}" * (s > 1) + f", padding {p}" * (p > 0) + f", dilation {d}" * (d > 1)
    )
    groups = getattr(layer, "groups", 1)
    return text + f", {groups} groups" * (groups > 1)


def _show_table(head, rows) -> None:
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    _show("\n".join(" · ".join(row) for row in rows), table)


def _show(plain: str, markdown: str = "") -> None:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(plain)
        return
    ipython.display.display({"text/markdown": markdown or plain, "text/plain": plain}, raw=True)


# The six layers of exercise 03.2: channels out (None: as before), kernel, stride, padding, dilation, transposed?
_INPUT = (3, 200, 301)
_STACK = [
    (32, 7, 2, 3, 1, False),
    (None, 3, 2, 0, 1, False),
    (64, 3, 1, 1, 2, False),
    (64, 4, 1, 2, 1, False),
    (24, 1, 3, 0, 1, False),
    (12, 4, 3, 1, 1, True),
]


def _through_stack(size=_convolved, size_transposed=_enlarged, channels=lambda before, new: new or before):
    shapes, (c, h, w) = [], _INPUT
    for new, *numbers, enlarges in _STACK:
        one = size_transposed if enlarges else size
        c, h, w = channels(c, new), one(h, *numbers), one(w, *numbers)
        shapes.append((c, h, w))
    return shapes


_SHAPES = _through_stack()
_X = np.array(
    [[1.0, 2, 0, 3, 1], [0, 1, 4, 1, 2], [2, 0, 1, 5, 0], [1, 3, 2, 0, 6], [7, 1, 0, 2, 3], [2, 4, 1, 1, 8]]
)
_W = np.array([[1.0, 2, -1], [0, 3, 1], [-2, 1, 5]])


def _pixel(x, w, row_of, column_of, clip=False, wrap=False):
    """The sum with other indices; padding is zero, the nearest pixel (``clip``), or as Python indexes (``wrap``)."""
    total = 0.0
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            row, column = row_of(a), column_of(b)
            if clip:
                row, column = min(max(row, 0), x.shape[0] - 1), min(max(column, 0), x.shape[1] - 1)
            if wrap or (0 <= row < x.shape[0] and 0 <= column < x.shape[1]):
                total += x[row, column] * w[a, b]
    return total


def _indexed(index, **options):
    """A wrong ``output_pixel`` whose rows and columns come from ``index(i, a, stride, padding, dilation)``."""

    def wrong(x, w, i, j, stride=1, padding=0, dilation=1):
        return _pixel(
            x,
            w,
            lambda a: index(i, a, stride, padding, dilation),
            lambda b: index(j, b, stride, padding, dilation),
            **options,
        )

    return wrong


def _right_index(i, a, s, p, d):
    return i * s + a * d - p


def _exchanged(x, w, i, j, stride=1, padding=0, dilation=1):
    return output_pixel(x, w, j, i, stride, padding, dilation)


def _turned(x, w, i, j, stride=1, padding=0, dilation=1):
    return output_pixel(x, w[::-1, ::-1], i, j, stride, padding, dilation)


def _averaged(x, w, i, j, stride=1, padding=0, dilation=1):
    return output_pixel(x, w, i, j, stride, padding, dilation) / w.size


def _cut_short(x, w, i, j, stride=1, padding=0, dilation=1):
    window = np.pad(x, padding)[i * stride : i * stride + len(w), j * stride : j * stride + len(w)]
    return (window[::dilation, ::dilation] * w).sum()


def _unread(n, starts, reach):
    read = {start + step for start in starts for step in reach}
    return [pixel for pixel in range(n) if pixel not in read]


def _starts(n, k, s, p, d):
    return range(-p, n + p - d * (k - 1), s)


def _stamped(y, w, stride, length, add=True):
    full = np.zeros(length)
    for i, value in enumerate(y):
        place = slice(i * stride, i * stride + len(w))
        full[place] = full[place] * add + value * w
    return full


def _cut(full, padding):
    return full[padding : len(full) - padding]


def _full_length(y, w, stride):
    return (len(y) - 1) * stride + len(w)


def _window(layers, i, step):
    first = last = i
    for layer in reversed(layers):
        first, last = step(first, last, *layer)
    return first, last


def _forward(layers, i):
    start, reach, jump = 0, 0, 1
    for k, stride, padding, dilation in layers:
        start -= padding
        reach += dilation * (k - 1) * jump
        jump *= stride
    return start + i * jump, start + i * jump + reach


_NET = [(7, 2, 3, 1), (3, 2, 1, 1), (3, 1, 2, 2), (5, 3, 1, 1)]

EXERCISES = [
    Exercise(
        id="03.1",
        title="All the widths that give one output",
        reference=input_sizes,
        cases=[
            Case(5, 3, 2, 0, 1),
            Case(112, 7, 2, 3, 1),
            Case(10, 3, 1, 2, 2),
            Case(4, 2, 5, 1, 3),
            Case(1, 5, 4, 0, 1),
        ],
        mistakes=[
            Mistake(
                lambda o, k, s, p, d: ((o - 1) * s + d * (k - 1) + 1 - 2 * p,) * 2,
                "That is the smallest width alone. The floor throws away up to stride - 1 pixels, so wider inputs give the same output.",
            ),
            Mistake(
                lambda o, k, s, p, d: (
                    (o - 1) * s + d * (k - 1) + 1 - 2 * p,
                    o * s + d * (k - 1) + 1 - 2 * p,
                ),
                "The largest is one too wide: with `stride` pixels more, one more window fits.",
            ),
            Mistake(
                lambda o, k, s, p, d: (o * s + d * (k - 1) + 1 - 2 * p, (o + 1) * s + d * (k - 1) - 2 * p),
                "The + 1 of the formula was not undone: of `out` windows, the last starts at (out - 1) · stride.",
            ),
            Mistake(
                lambda o, k, s, p, d: ((o - 1) * s + d * k - 2 * p, o * s - 1 + d * k - 2 * p),
                "A dilated kernel reaches over dilation · (k - 1) + 1 pixels, not dilation · k: there is no gap after its last weight.",
            ),
            Mistake(
                lambda o, k, s, p, d: ((o - 1) * s + k - 2 * p, o * s - 1 + k - 2 * p),
                "The dilation is missing. It spreads the k weights over dilation · (k - 1) + 1 pixels.",
            ),
            Mistake(
                lambda o, k, s, p, d: ((o - 1) * s + d * (k - 1) + 1, o * s + d * (k - 1)),
                "The padding is missing: it stands at both ends, so the picture itself may be 2 · padding narrower.",
            ),
            Mistake(
                lambda o, k, s, p, d: ((o - 1) * s + d * (k - 1) + 1 - p, o * s + d * (k - 1) - p),
                "The padding is counted once. It stands at both ends.",
            ),
            Mistake(
                lambda o, k, s, p, d: ((o - 1) * s + d * (k - 1) + 1 + 2 * p, o * s + d * (k - 1) + 2 * p),
                "The padding has the wrong sign: with more padding, less picture is needed.",
            ),
            Mistake(
                lambda o, k, s, p, d: (o * s, o * s + s - 1),
                "That leaves kernel, padding and dilation out. Solve the whole formula for n.",
            ),
            Mistake(
                lambda o, k, s, p, d: (o, o),
                "That holds only where the padding keeps the size. Solve the formula for n.",
            ),
        ],
        hints=(
            "First find the smallest width: its last window ends exactly on the last pixel of the padding.",
            "From there, add pixels one by one. When does one more window fit?",
            "smallest = (out - 1) · stride + dilation · (k - 1) + 1 - 2 · padding; one more window fits with `stride` pixels more.",
        ),
    ),
    Exercise(
        id="03.2",
        title="Six shapes",
        reference=_SHAPES,
        name="shapes",
        mistakes=[
            *(
                Mistake(
                    _through_stack(size),
                    f"Above the last row, wherever it matters: {sentence[0].lower()}{sentence[1:]}",
                )
                for sentence, size in _SLIPS
            ),
            *(
                Mistake(
                    _through_stack(size_transposed=size),
                    f"Only the last row: {sentence[0].lower()}{sentence[1:]}",
                )
                for sentence, size in _SLIPS_TRANSPOSED
            ),
            Mistake(
                [(h, w, c) for c, h, w in _SHAPES],
                "The numbers are right. PyTorch's order is channels first: (channels, height, width).",
            ),
            Mistake(
                [(c, w, h) for c, h, w in _SHAPES],
                "Height and width are exchanged: a picture of shape (3, 200, 301) is 200 high.",
            ),
            Mistake(
                [(1, *shape) for shape in _SHAPES],
                "The numbers are right; leave the batch out: (channels, height, width).",
            ),
            Mistake(
                _through_stack(channels=lambda before, new: 3),
                "The sizes are right. The channels are those of the input, but each layer gives as many as it has kernels.",
            ),
            Mistake(
                _through_stack(channels=lambda before, new: new or 3),
                "Only the pooling layer's channels are wrong: it works on each channel alone and keeps their number.",
            ),
        ],
        hints=(
            "Go row by row: each layer's output is the next one's input. The table below tells you which row to look at.",
            "Height and width separately, with the formula; round down in every row. Channels: the second number of the layer; pooling keeps them.",
            "First row: (200 + 6 - 6 - 1) / 2 = 99.5, so 99 + 1 = 100. Last row, enlarging: (n - 1) · 3 + 4 - 2.",
        ),
    ),
    Exercise(
        id="03.3",
        title="Pixels that nobody reads",
        reference=never_read,
        cases=[
            Case(8, 3, 2, 0, 1),
            Case(11, 2, 4, 0, 1),
            Case(12, 3, 2, 0, 2),
            Case(10, 2, 5, 1, 1),
            Case(14, 3, 4, 1, 2),
            Case(13, 3, 2, 0, 2),
        ],
        mistakes=[
            Mistake(
                lambda *a: len(never_read(*a)),
                "That is how many there are. Asked for is a list of their places.",
            ),
            Mistake(
                lambda n, k, s, p, d: [
                    q for q in never_read(n, k, s, p, d) if q > list(_starts(n, k, s, p, d))[-1] + d * (k - 1)
                ],
                "That is what the floor leaves over at the end. Between two windows, and between the weights of a dilated one, are gaps too.",
            ),
            Mistake(
                lambda n, k, s, p, d: _unread(n, _starts(n, k, s, p, d), range(d * (k - 1) + 1)),
                "You count a dilated window as solid. It reads only every `dilation`-th pixel.",
            ),
            Mistake(
                lambda n, k, s, p, d: _unread(n, _starts(n, k, s, 0, d), range(0, d * k, d)),
                "The padding is forgotten: the first window starts at -padding, and all others are moved with it.",
            ),
            Mistake(
                lambda n, k, s, p, d: [q + p for q in never_read(n, k, s, p, d)],
                "Those are places on the padded axis. Pixel 0 of the picture is place `padding` there.",
            ),
            Mistake(
                lambda n, k, s, p, d: _unread(n, range(-p, n + p, s), range(0, d * k, d)),
                "You let a last window hang over the end. A window that does not fit is left out.",
            ),
            Mistake(
                lambda n, k, s, p, d: _unread(n, list(_starts(n, k, s, p, d))[:-1], range(0, d * k, d)),
                "The last window is missing: `range` stops before its end.",
            ),
            Mistake(
                lambda n, k, s, p, d: _unread(n, _starts(n, k, s, p, d), range(k)),
                "The dilation is forgotten: weight a of a window reads the pixel at start + a · dilation.",
            ),
            Mistake(
                lambda n, k, s, p, d: [q for q in range(n) if q not in never_read(n, k, s, p, d)],
                "Those are the pixels that are read. Asked for are the others.",
            ),
            Mistake(
                lambda n, k, s, p, d: [],
                "None at all? The floor may leave pixels over at the end, and a stride or a dilation leaves gaps.",
            ),
            Mistake(
                lambda n, k, s, p, d: _unread(
                    n, [i * s - p for i in range((n + 2 * p - d * k) // s + 1)], range(0, d * k, d)
                ),
                "A dilated kernel reaches over dilation · (k - 1) + 1 pixels, not dilation · k, so one more window may fit.",
            ),
        ],
        hints=(
            "Collect what is read, then take what is left of range(n).",
            "Window i starts at i · stride - padding; weight a reads the pixel dilation · a further on. The function `reads` of the lesson gives all of them.",
            "`set(reads(n, k, stride, padding, dilation).flat)` is what is read, padding included.",
        ),
    ),
    Exercise(
        id="03.4",
        title="One output pixel",
        reference=output_pixel,
        cases=[
            Case(_X, _W, 0, 0),
            Case(_X, _W, 1, 2, 2, 1),
            Case(_X, _W, 0, 1, 2, 1),
            Case(_X, _W, 2, 0, 1, 2, 2),
            Case(_X, _W, 1, 0, 3, 2, 1),
            Case(_X, _W[:2, :2], 1, 0, 2, 0, 3),
            Case(_X, _W, 2, 1, 2, 1, 1),
            Case(_X, _W, 3, 2, 1, 1, 1),
            Case(_X, _W[:2], 1, 0, 1, 1, 1),
        ],
        mistakes=[
            Mistake(
                _indexed(_right_index, wrap=True),
                "A negative index does not stop in Python: x[-1] is the last row. Where the window stands on padding, add nothing.",
            ),
            Mistake(
                _indexed(_right_index, clip=True),
                "You repeat the nearest pixel, which is replicate padding. Here zeros stand around the picture.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: i * s + a * d),
                "The padding is forgotten: the first window starts `padding` pixels before the picture.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: i * s + a * d + p),
                "The padding has the wrong sign. Index 0 of the padded picture is index -padding of x.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: i + a * d - p),
                "The stride is forgotten: output i stands `stride` · i pixels from the start.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: i * s + a - p),
                "The dilation is forgotten: weight a reads the pixel a · dilation further on.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: (i + a) * s - p),
                "The stride moves the window, not the weights within it. Their distance is the dilation.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: (i + a * d) * s - p),
                "The stride moves the window, not the weights within it: i · stride + a · dilation.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: (i - p) * s + a * d),
                "The padding is multiplied by the stride. It counts pixels of the input, so subtract it at the end.",
            ),
            Mistake(
                _indexed(lambda i, a, s, p, d: (i * s + a) * d - p),
                "The dilation spreads the weights of one window, not the windows: i · stride + a · dilation.",
            ),
            Mistake(_exchanged, "Rows and columns are exchanged: i counts down the rows, j along a row."),
            Mistake(
                _turned,
                "You turned the kernel by 180°. The convolution of a layer lays it down as it is (lesson 01).",
            ),
            Mistake(_averaged, "That is the mean of the products. A convolution takes their sum."),
            Mistake(
                _cut_short,
                "The slice ends too early: k weights `dilation` apart reach over dilation · (k - 1) + 1 pixels.",
            ),
        ],
        hints=(
            "Start with stride 1, no padding, no dilation: which pixel does w[a, b] meet? Then put the three in, one by one.",
            "w[a, b] meets row i · stride + a · dilation - padding; the column likewise with j and b. Outside the picture, add nothing.",
            "Or with arrays: `np.pad(x, padding)[i * stride :, j * stride :]`, take every `dilation`-th row and column, k of each.",
        ),
    ),
    Exercise(
        id="03.5",
        title="TensorFlow's 'same'",
        reference=same_padding,
        cases=[
            Case(224, 3, 2),
            Case(225, 3, 2),
            Case(56, 5, 2),
            Case(10, 4, 1),
            Case(9, 2, 3),
            Case(11, 3, 4),
            Case(12, 6, 5),
            Case(9, 1, 3),
        ],
        mistakes=[
            Mistake(
                lambda n, k, s: (k // 2, k // 2),
                "That is PyTorch's habit. 'Same' pads as little as it needs, and that depends on n.",
            ),
            Mistake(
                lambda n, k, s: ((k - 1) // 2,) * 2,
                "That is right at stride 1 for odd kernels. 'Same' with a stride pads as little as it needs.",
            ),
            Mistake(
                lambda n, k, s: (lambda t: (t // 2, t - t // 2))(max(k - s, 0)),
                "That is right where the stride divides n. Else the last window starts later and needs less padding: use out.",
            ),
            Mistake(
                lambda n, k, s: same_padding(n, k, s)[::-1],
                "The sum is right, but the odd one belongs at the end: bottom and right.",
            ),
            Mistake(
                lambda n, k, s: (same_padding(n, k, s)[0],) * 2,
                "An odd pixel got lost in the halving. It goes to the end.",
            ),
            Mistake(
                lambda n, k, s: ((k - 1) // 2, k // 2),
                "That keeps the size at stride 1. With a stride, fewer pixels may do.",
            ),
            Mistake(
                lambda n, k, s: (
                    ((math.ceil(n / s) - 1) * s + k - n) // 2,
                    ((math.ceil(n / s) - 1) * s + k - n + 1) // 2,
                ),
                "It gets negative where the stride is larger than the kernel. Nothing is cut off: no padding is 0.",
            ),
            Mistake(
                lambda n, k, s: (lambda t: (t // 2, t - t // 2))(max((n // s - 1) * s + k - n, 0)),
                "The number of outputs is n / stride rounded up, not down.",
            ),
            Mistake(
                lambda n, k, s: (lambda t: (t // 2, t - t // 2))(max(math.ceil(n / s) * s + k - n, 0)),
                "The last of the outputs starts at (out - 1) · stride, not at out · stride.",
            ),
            Mistake(
                lambda n, k, s: sum(same_padding(n, k, s)),
                "That is the sum. Divide it: before the first pixel, after the last.",
            ),
        ],
        hints=(
            "How many outputs are promised? Where does the last of them start, and where does it end?",
            "The last window ends at (out - 1) · stride + k. What is missing to that is the sum of both paddings, never below 0.",
            "total = max((out - 1) * stride + k - n, 0); half of it, rounded down, goes before, the rest after.",
        ),
    ),
    Exercise(
        id="03.6",
        title="What a frequency turns into",
        reference=apparent_frequency,
        cases=[
            Case(0.05, 2),
            Case(0.3, 2),
            Case(0.45, 4),
            Case(0.22, 4),
            Case(0.5, 3),
            Case(0.4, 1),
            Case(0.26, 8),
        ],
        mistakes=[
            Mistake(
                lambda f, s: f * s,
                "That is right below half a cycle for each value. Above it, whole turns between two values cannot be seen.",
            ),
            Mistake(
                lambda f, s: f * s % 1,
                "Whole turns are gone, but 0.6 of a turn forward looks like 0.4 of a turn back: no result is above 0.5.",
            ),
            Mistake(
                lambda f, s: apparent_frequency(f, s) / s,
                "That is in cycles for each pixel of the input. Asked for are cycles for each value of the output.",
            ),
            Mistake(
                lambda f, s: min(f * s, 0.5),
                "Frequencies that are too high are not held at the limit: they come back, mirrored.",
            ),
            Mistake(
                lambda f, s: f * s if f * s <= 0.5 else 0.0,
                "Frequencies that are too high do not vanish. A blur would do that; the stride alone mirrors them.",
            ),
            Mistake(
                lambda f, s: abs(f - 1 / s) * s,
                "That is the first mirror. Low frequencies are not mirrored, and very high ones more than once.",
            ),
            Mistake(
                lambda f, s: 1 - f * s,
                "That is the mirror for values between 0.5 and 1. Below it nothing is mirrored; above it, take whole turns off first.",
            ),
            Mistake(
                lambda f, s: f,
                "With stride s, a step is s pixels long, so the wave turns s times as far in it.",
            ),
            Mistake(
                lambda f, s: f / s,
                "A step of s pixels is longer than one pixel: the wave turns further in it, not less.",
            ),
            Mistake(
                lambda f, s: f * s % 0.5,
                "Whole turns vanish, half turns do not: 0.6 comes back as 0.4, not as 0.1.",
            ),
            Mistake(
                lambda f, s: min(f * s, 1 - f * s),
                "That mirrors once. Take the whole turns off first: `% 1`.",
            ),
        ],
        hints=(
            "How many turns does the wave make from one output value to the next?",
            "Whole turns cannot be seen. And a cosine that turns 0.7 forward gives the same values as one that turns 0.3 back.",
            "turns = f * stride % 1; then the smaller of `turns` and `1 - turns`.",
        ),
    ),
    Exercise(
        id="03.7",
        title="A transposed convolution",
        reference=transposed,
        cases=[
            Case(np.array([1.0, 2, -1]), np.array([1.0, 3, 5]), 2, 0),
            Case(np.array([2.0, 1, 4, -3]), np.array([1.0, -2, 3, 7]), 2, 1),
            Case(np.array([1.0, 5]), np.array([2.0, 1]), 3, 0),
            Case(np.array([3.0, -1, 2, 6]), np.array([1.0, 4, 2, 8, 5]), 1, 2),
        ],
        mistakes=[
            Mistake(
                lambda y, w, s, p: transposed(y, w[::-1], s, p),
                "The kernel is turned. Each value of y lays the kernel down as it is.",
            ),
            Mistake(
                lambda y, w, s, p: _cut(_stamped(y, w, s, _full_length(y, w, s), add=False), p),
                "Where two copies overlap, the later one wiped out the earlier. They are added: `+=`.",
            ),
            Mistake(
                lambda y, w, s, p: _stamped(y, w, s, _full_length(y, w, s)),
                "The padding is forgotten: it is cut off at both ends, the reverse of what it does in a convolution.",
            ),
            Mistake(
                lambda y, w, s, p: _stamped(y, w, s, _full_length(y, w, s))[p:-p],
                "`full[padding:-padding]` is empty where the padding is 0, for -0 is 0. Count the end from the start: len(full) - padding.",
            ),
            Mistake(
                lambda y, w, s, p: np.pad(_stamped(y, w, s, _full_length(y, w, s)), p),
                "Padding makes a convolution's output longer, so it makes the transposed one's shorter: cut it off.",
            ),
            Mistake(
                lambda y, w, s, p: _stamped(y, w, s, _full_length(y, w, s))[: _full_length(y, w, s) - 2 * p],
                "All the padding is cut off at the end. Half of it belongs to the start.",
            ),
            Mistake(
                lambda y, w, s, p: _cut(np.convolve(y, w), p),
                "The stride is forgotten: neighbours in y stand `stride` apart in the output.",
            ),
            Mistake(
                lambda y, w, s, p: _cut(np.convolve(np.repeat(y, s), w), p),
                "That repeats each value and then convolves: a resize-convolution. Here each value is laid down once.",
            ),
            Mistake(
                lambda y, w, s, p: _cut(np.pad(_stamped(y, w, s, _full_length(y, w, s)), (0, s - 1)), p),
                "Too long: after the last copy of the kernel nothing follows. The length is (n - 1) · stride + k - 2 · padding.",
            ),
        ],
        hints=(
            "Read the matrix by columns of its transpose: what does one value of y add, and where?",
            "y[i] adds y[i] · w at the places from i · stride on. At the end cut `padding` values off each end.",
            "Start with zeros of length (n - 1) · stride + k, and add to `full[i * stride : i * stride + k]`.",
        ),
    ),
    Exercise(
        id="03.8",
        title="Back to the pixels",
        reference=window,
        cases=[
            Case([(3, 1, 0, 1)], 4),
            Case([(3, 2, 0, 1), (3, 1, 0, 1)], 2),
            Case([(5, 1, 2, 1), (3, 2, 1, 1)], 0),
            Case([(3, 1, 2, 2), (2, 3, 0, 1)], 5),
            Case(_NET, 0),
            Case(_NET, 7),
        ],
        mistakes=[
            Mistake(
                lambda layers, i: window(layers[::-1], i),
                "You walked from the first layer on. `i` counts outputs of the last layer: start there.",
            ),
            Mistake(
                lambda layers, i: _window(layers, i, lambda f, t, k, s, p, d: (f * s, t * s + d * (k - 1))),
                "The padding is forgotten: output 0 of a layer starts `padding` before its input.",
            ),
            Mistake(
                lambda layers, i: _window(
                    layers, i, lambda f, t, k, s, p, d: (f * s - p, t * s + p + d * (k - 1))
                ),
                "The padding moves both ends in the same direction: the window starts earlier and ends earlier.",
            ),
            Mistake(
                lambda layers, i: _window(layers, i, lambda f, t, k, s, p, d: (f * s - p, t * s - p + d * k)),
                "One too far in each layer: from the first to the last weight it is dilation · (k - 1).",
            ),
            Mistake(
                lambda layers, i: _window(layers, i, lambda f, t, k, s, p, d: (f * s - p, t * s - p + k - 1)),
                "The dilation is forgotten: from the first to the last weight it is dilation · (k - 1).",
            ),
            Mistake(
                lambda layers, i: _window(layers, i, lambda f, t, k, s, p, d: (f - p, t - p + d * (k - 1))),
                "The stride is forgotten: output i of a layer starts at i · stride - padding of its input.",
            ),
            Mistake(
                lambda layers, i: _window(
                    layers, i, lambda f, t, k, s, p, d: (f * s - p, f * s - p + d * (k - 1))
                ),
                "Both ends have to be walked back. You took the last one from the first, so the window never grows.",
            ),
            Mistake(
                lambda layers, i: window(layers, 0),
                "That is the window of output 0, for every i. Start the way back with first = last = i.",
            ),
            Mistake(
                lambda layers, i: (max(window(layers, i)[0], 0), window(layers, i)[1]),
                "Where the window begins in the padding, the first index is negative. Leave it so: that part is not picture.",
            ),
            Mistake(
                lambda layers, i: (window(layers, i)[0], window(layers, i)[1] + 1),
                "The end is one too far: asked for is the last pixel itself, not the one after it.",
            ),
            Mistake(
                _forward,
                "The padding of a later layer counts in its own inputs: multiply it by the jump.",
            ),
        ],
        hints=(
            "Begin with one layer: which inputs does output i read? Then walk back, layer by layer.",
            "In each layer the first index becomes first · stride - padding. What becomes of the last one?",
            "last · stride - padding + dilation · (k - 1), for the layers in reverse order.",
        ),
    ),
]
