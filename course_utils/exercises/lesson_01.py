"""Exercises of lesson 01: what a convolution computes, what it costs, and what it keeps."""

import math

import numpy as np
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view

from course_utils.exercises.bank import Case, Exercise, Mistake


def needed_input(kernel_sizes, out):
    return out + sum(k - 1 for k in kernel_sizes)


def count_parameters(c_in, c_out, k, height, width):
    return c_out * (c_in * k * k + 1)


def column_bytes(n, c, h, w, k):
    rows = c * k * k
    columns = (h - k + 1) * (w - k + 1)
    return n * rows * columns * 4


def equal_columns(width, pan, k):
    shared = width - pan
    return shared - (k - 1)


def compose(first, second):
    (fh, fw), (sh, sw) = first.shape, second.shape
    both = np.zeros((fh + sh - 1, fw + sw - 1))
    for a in range(sh):
        for b in range(sw):
            both[a : a + fh, b : b + fw] += second[a, b] * first
    return both


def conv_layer(pictures, weight, bias):
    windows = sliding_window_view(pictures, weight.shape[2:], axis=(1, 2))  # (N, H', W', C, k, k)
    return np.einsum("nijcab,ocab->noij", windows, weight) + bias[:, None, None]


def _sums(pictures, weight):
    return conv_layer(pictures, weight, np.zeros(len(weight)))


def _channels_last(weight):
    o, c, k, _ = weight.shape
    return weight.reshape(o, k, k, c).transpose(0, 3, 1, 2)


def _whole(shape, seed):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(float)


# Sizes differ, so that a swapped axis shows; where a mistake needs equal sizes to run at all, one case has them.
_LAYERS = [
    Case(_whole((2, 6, 8, 3), 1), _whole((4, 3, 3, 3), 2), np.array([1.0, -2, 3, 5])),
    Case(_whole((1, 5, 6, 2), 3), _whole((4, 2, 3, 3), 4), np.array([2.0, 7, -1, 4])),
    Case(_whole((2, 5, 7, 3), 5), _whole((3, 3, 2, 2), 6), np.array([-3.0, 1, 6])),
]
_KERNEL_PAIRS = [
    Case(np.array([[1.0, 2, 0], [0, 1, 3], [-1, 0, 2]]), np.array([[0.0, 1, 0], [2, 0, -1], [1, 1, 3]])),
    Case(np.array([[1.0, -1], [2, 0]]), np.array([[3.0, 1], [0, 1]])),
    Case(np.array([[1.0, 2, 4]]), np.array([[1.0], [-1], [5]])),
]

EXERCISES = [
    Exercise(
        id="01.1",
        title="Correlate by hand",
        reference=[[4, -1], [2, 6]],
        name="y",
        mistakes=[
            Mistake(
                [[0, 3], [4, 0]],
                "You turned the kernel by 180°: that is the convolution of mathematics. PyTorch's conv2d lays the kernel down as it is written.",
            ),
            Mistake(
                [[0, 1], [4, 0]],
                "Rows and columns of the kernel are exchanged. The 2 is the top right number, so it multiplies the pixel to the right.",
            ),
            Mistake(
                [[4, 2], [-1, 6]],
                "The numbers are right, their places are transposed. The kernel first moves right along a row, and that fills the output's first row.",
            ),
            Mistake(
                [[1, 4], [0, -1]],
                "Those are the four products at the first place. Their sum is one output value; then the kernel moves on.",
            ),
            Mistake(
                [[1, 0], [0, -1]],
                "That is a matrix product of the first patch and the kernel. Multiply pixel by pixel instead, and add the four products.",
            ),
            Mistake(
                [[4, -1, 0], [2, 6, 3], [2, 2, 1]],
                "You let the kernel hang over the right and lower border, as if zeros stood there. Without padding it goes only where it fits.",
            ),
            Mistake(
                [[6, 5], [2, 8]], "The sign of the -1 got lost: the pixel at the lower right is subtracted."
            ),
            Mistake(
                [[4]],
                "The kernel fits at more than one place: along three pixels, a kernel of two fits twice.",
            ),
        ],
        hints=(
            "At how many places does a 2 × 2 kernel fit on 3 × 3 pixels? So many values has the output.",
            "Lay the kernel on the four pixels at the top left, multiply each pixel by the number on it, add. Then move right.",
            "The first value is 1·1 + 2·2 + 0·0 + 1·(-1) = 4. Three are left.",
        ),
    ),
    Exercise(
        id="01.2",
        title="From the output back to the input",
        reference=needed_input,
        cases=[Case([3], 1), Case([3, 3], 1), Case([5, 3, 7], 4), Case([11, 5], 10), Case([1, 2], 6)],
        mistakes=[
            Mistake(
                lambda ks, out: out + sum(ks),
                "One too many for each layer: a kernel of k pixels costs k - 1, for where it stands on the first pixel it already gives one value.",
            ),
            Mistake(
                lambda ks, out: out - sum(k - 1 for k in ks),
                "You walked forwards. `out` is the size at the end; going back to the input, the picture grows.",
            ),
            Mistake(
                lambda ks, out: out + max(ks) - 1,
                "That counts the largest kernel only. Each layer takes its own k - 1.",
            ),
            Mistake(
                lambda ks, out: out + math.prod(ks) - 1,
                "Kernel sizes do not multiply here: each layer adds k - 1, whatever the others do.",
            ),
            Mistake(
                lambda ks, out: out + sum(k // 2 for k in ks),
                "That is what the kernel covers on one side of its middle. It reaches over both borders.",
            ),
            Mistake(
                lambda ks, out: out + 2 * len(ks),
                "That is right if all kernels are 3 wide. Here the sizes differ.",
            ),
            Mistake(lambda ks, out: out + sum(ks) - 1, "The -1 belongs to each layer, not once to the sum."),
        ],
        hints=(
            "Begin with one layer: n pixels give n - k + 1. Which n gives `out`?",
            "Solve out = n - k + 1 for n, and go back through the layers one by one.",
            "Each layer adds k - 1, in any order.",
        ),
    ),
    Exercise(
        id="01.3",
        title="What a layer learns",
        reference=count_parameters,
        cases=[Case(3, 8, 3, 32, 30), Case(64, 128, 5, 56, 40), Case(1, 6, 1, 28, 28), Case(10, 4, 2, 9, 17)],
        mistakes=[
            Mistake(
                lambda ci, co, k, h, w: co * ci * k * k,
                "The biases are missing: one for each output channel.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * ci * k * k + 1,
                "One bias for the whole layer is too few: each output channel has its own.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * ci * k * k + ci,
                "The biases belong to the output: one is added to each sum, and there are c_out sums.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * ci * (k * k + 1),
                "That gives each of the c_in tables its own bias. They are summed into one number, and one bias is added to that.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * ci * k * k + co * (h - k + 1) * (w - k + 1),
                "A bias for each output pixel is too many. Weights and bias are the same at every place; that is what sliding means.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * (k * k + 1),
                "The input channels are missing: each kernel has one k × k table for every input channel.",
            ),
            Mistake(lambda ci, co, k, h, w: co * (ci * k + 1), "A kernel is k × k numbers, not k."),
            Mistake(
                lambda ci, co, k, h, w: co * (ci * h * w + 1),
                "That is a fully connected layer, with a weight for each pixel. A convolution uses the same k × k numbers at every place.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * (ci * k * k + 1) * (h - k + 1) * (w - k + 1),
                "That is how much work it does: every number is used at every place. It is learned only once.",
            ),
            Mistake(
                lambda ci, co, k, h, w: co * (ci * k * k + 1) * h * w,
                "Height and width play no part: the kernels slide, so a larger picture needs no more numbers to learn.",
            ),
            Mistake(
                lambda ci, co, k, h, w: ci * k * k + co,
                "That is one kernel, and the biases. Each output channel has a kernel of its own.",
            ),
            Mistake(
                lambda ci, co, k, h, w: ci * k * k + 1,
                "That is one kernel with its bias. Each output channel has its own.",
            ),
        ],
        hints=(
            "Two of the five arguments do not matter. Which, and why?",
            "Count the numbers in one kernel that makes one output channel; then its bias; then all output channels.",
            "One kernel: c_in tables of k × k numbers, and one bias.",
        ),
    ),
    Exercise(
        id="01.4",
        title="The price of im2col",
        reference=column_bytes,
        cases=[Case(1, 64, 58, 58, 3), Case(8, 3, 32, 20, 5), Case(2, 5, 7, 9, 1), Case(3, 2, 12, 16, 4)],
        mistakes=[
            Mistake(
                lambda n, c, h, w, k: n * c * k * k * (h - k + 1) * (w - k + 1),
                "That counts numbers. A float32 takes 4 bytes.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * k * k * (h - k + 1) * (w - k + 1) * 8,
                "8 bytes is a float64. A float32 takes half of it.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * k * k * (h - k + 1) * (w - k + 1) * 32,
                "A float32 has 32 bits; asked for are bytes.",
            ),
            Mistake(
                lambda n, c, h, w, k: c * k * k * (h - k + 1) * (w - k + 1) * 4,
                "That is one picture. A batch has n of them.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * k * k * (h - k + 1) * (w - k + 1) * 4,
                "The channels are missing: a column holds the patch of every channel.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * k * k * h * w * 4,
                "One column for each input pixel is too many: without padding the kernel fits at fewer places.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * k * k * (h - k) * (w - k) * 4,
                "Off by one: along n pixels a kernel of k fits n - k + 1 times.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * h * w * 4,
                "That is the input, or its strided view. im2col copies each pixel into every patch that it belongs to.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * k * (h - k + 1) * (w - k + 1) * 4,
                "A patch has k × k pixels in each channel, not k.",
            ),
            Mistake(
                lambda n, c, h, w, k: n * c * k * k * (h // k) * (w // k) * 4,
                "You laid the patches side by side. The kernel slides by one pixel, so patches overlap.",
            ),
        ],
        hints=(
            "One column is one patch. How many numbers are in it, and how many patches are there?",
            "Rows: c · k · k. Columns: the output pixels. Then the batch, then bytes.",
            "n · c · k² · (h - k + 1) · (w - k + 1) numbers; a float32 has 32 bits.",
        ),
    ),
    Exercise(
        id="01.5",
        title="Where equivariance ends",
        reference=equal_columns,
        cases=[Case(300, 60, 31), Case(100, 10, 3), Case(64, 8, 9), Case(50, 1, 1)],
        mistakes=[
            Mistake(
                lambda w, p, k: w - p,
                "That is the whole shared part, as if the borders did not exist. Near them the kernel sees zeros in one view and fur in the other.",
            ),
            Mistake(
                lambda w, p, k: w - k + 1,
                "You compared all columns of one view. After the pan only a part of it is also in the other.",
            ),
            Mistake(
                lambda w, p, k: w - p - (k - 1) // 2,
                "That takes off the band at one side only. The shared part has two ends, and each is the border of one of the views.",
            ),
            Mistake(
                lambda w, p, k: w - p - k,
                "Off by one: the kernel reaches (k - 1) / 2 pixels to each side of its middle, not k / 2.",
            ),
            Mistake(
                lambda w, p, k: w - p - 2 * (k - 1),
                "Too cautious: each view has two borders, but only one of them lies within the shared part.",
            ),
            Mistake(
                lambda w, p, k: k - 1, "That is how many columns may differ. Asked for are those that agree."
            ),
            Mistake(
                lambda w, p, k: p - (k - 1),
                "`pan` pixels are what the two views do not share. Start from the part that they share.",
            ),
        ],
        hints=(
            "Two steps: how wide is the shared part, and how much of it does a border spoil?",
            "The left end of the shared part is the border of the second view; the right end that of the first.",
            "The shared part is width - pan wide, and each end loses (k - 1) / 2 columns.",
        ),
    ),
    Exercise(
        id="01.6",
        title="Two kernels in one",
        reference=compose,
        cases=_KERNEL_PAIRS,
        mistakes=[
            Mistake(
                lambda f, s: f * s,
                "Multiplying number by number is not it. Each number of `second` weights a whole, shifted copy of `first`.",
            ),
            Mistake(
                lambda f, s: f @ s,
                "A matrix product mixes rows with columns; the sum over a patch does not. Write the double sum out for one output value.",
            ),
            Mistake(
                lambda f, s: f + s,
                "The sum of two kernels does what two layers side by side do, added up. These are one after the other.",
            ),
            Mistake(
                lambda f, s: scipy.signal.correlate2d(f, s, "full"),
                "The size is right, but `second` is turned by 180°. The shifts of both layers add up: a + c, not a - c.",
            ),
            Mistake(
                lambda f, s: scipy.signal.correlate2d(s, f, "full"),
                "The size is right, but `first` is turned by 180° on its way into the result.",
            ),
            Mistake(
                lambda f, s: scipy.signal.convolve2d(f, s)[::-1, ::-1],
                "The result is turned by 180°. `convolve2d` of the two is the answer as it stands, for correlations as for true convolutions.",
            ),
            Mistake(
                lambda f, s: scipy.signal.convolve2d(f, s, "same"),
                "The middle is right, the rim is cut off. Two layers see further than one: the kernel has to grow.",
            ),
            Mistake(
                lambda f, s: scipy.signal.correlate2d(f, s, "valid"),
                "You laid the second kernel on the first where it fits. Together they see further than one, so the result is larger.",
            ),
            Mistake(
                lambda f, s: np.kron(f, s),
                "That sets the shifted copies side by side. They overlap, since the kernel slides by one pixel, and what overlaps is added.",
            ),
        ],
        hints=(
            "How many pixels does one value after the second layer depend on? That is the size of the kernel.",
            "Let x be one white pixel and follow it through both layers; or write out the double sum and collect the pixel x[i + a + c].",
            "Start with zeros of size f + s - 1; for each (a, b) add `second[a, b] * first`, shifted by (a, b).",
        ),
    ),
    Exercise(
        id="01.7",
        title="The whole layer",
        reference=conv_layer,
        cases=_LAYERS,
        mistakes=[
            Mistake(
                lambda x, w, b: (
                    _sums(x.reshape(len(x), x.shape[3], *x.shape[1:3]).transpose(0, 2, 3, 1), w)
                    + b[:, None, None]
                ),
                "`reshape` keeps the numbers in their order and cuts them anew: it tears the pictures apart. `transpose(0, 3, 1, 2)` moves the channels.",
            ),
            Mistake(
                lambda x, w, b: (_sums(x.swapaxes(1, 2), w)) + b[:, None, None],
                "The pictures lie on their side: `transpose(0, 3, 2, 1)` exchanges rows and columns as well. Use `transpose(0, 3, 1, 2)`.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w).transpose(0, 2, 3, 1) + b,
                "The numbers are right; the result is still NHWC. Asked for is (N, O, H', W'), PyTorch's order.",
            ),
            Mistake(
                lambda x, w, b: (_sums(x, w).transpose(0, 2, 3, 1) + b).reshape(_sums(x, w).shape),
                "The channels stand last here: move them with `transpose(0, 3, 1, 2)`; `reshape` tears them apart.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w).swapaxes(0, 1).reshape(_sums(x, w).shape) + b[:, None, None],
                "Kernels times columns is (O, N · P), with the channels in front of the pictures. Cut it as (O, N, H', W') first, then exchange the two axes.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w[..., ::-1, ::-1]) + b[:, None, None],
                "The kernels are turned by 180°. A layer of PyTorch does not turn them.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w),
                "The bias is missing: one number for each output channel, added at every place.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w) + b,
                "`+ bias` adds along the last axis, the columns. The bias belongs to the channels: `bias[:, None, None]`.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w) + x.shape[3] * b[:, None, None],
                "The bias is added once for each input channel. It is added once, after the sum over channels.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w) / x.shape[3] + b[:, None, None],
                "That is the mean over the input channels. The layer takes their sum.",
            ),
            Mistake(
                lambda x, w, b: _sums(x[..., :1], w[:, :1]) + b[:, None, None],
                "Only the first input channel is used. The sum runs over all of them.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w.transpose(1, 0, 2, 3)) + b[:, None, None],
                "Input and output channels of the weight are exchanged. Its shape is (output, input, k, k); with as many of both, no error tells you.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, w.swapaxes(2, 3)) + b[:, None, None],
                "Rows and columns of the kernels are exchanged. The third axis of the weight goes with the rows of the picture.",
            ),
            Mistake(
                lambda x, w, b: _sums(x, _channels_last(w)) + b[:, None, None],
                "Patch and kernel are flattened in different orders, (k, k, C) and (C, k, k), so pixels meet weights that belong to others. Give both one order.",
            ),
            Mistake(
                lambda x, w, b: (_sums(x, w) + b[:, None, None])[..., :-1, :-1],
                "The last row and column are missing: `range(h - k)` stops one place too early, there are h - k + 1.",
            ),
            Mistake(
                lambda x, w, b: (
                    _sums(np.pad(x, ((0, 0), *[(w.shape[2] // 2,) * 2] * 2, (0, 0))), w) + b[:, None, None]
                ),
                "You padded the pictures with zeros. Here the kernel goes only where it fits, so the result is smaller than the picture.",
            ),
        ],
        hints=(
            "Two things are new against the lesson: where the channels stand, and the bias.",
            "Move the channels to the front with `transpose`, and any of the lesson's ways goes on from there; or slide over axes 1 and 2.",
            'With `sliding_window_view(pictures, (k, k), axis=(1, 2))` the letters are "nijcab,ocab->noij"; then the bias, as (O, 1, 1).',
        ),
    ),
]
