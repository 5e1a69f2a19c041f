"""Exercises of lesson 02: filters on pictures, what a kernel costs, and what each index of a layer's weight means."""

import numpy as np
import scipy.ndimage
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view

from course_utils.exercises.bank import Case, Exercise, Mistake


def filter_image(picture, kernel):
    kh, kw = kernel.shape
    border = [(kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)][: picture.ndim]
    padded = np.pad(picture.astype(float), border, mode="edge")
    windows = sliding_window_view(padded, (kh, kw), axis=(0, 1))
    return np.tensordot(windows, kernel, axes=2)


def cheapest(kernel):
    direct = kernel.size
    in_pairs = np.linalg.matrix_rank(kernel) * sum(kernel.shape)
    return min(direct, in_pairs)


def share(c_in, c_out, k):
    full = c_out * c_in * k * k
    depthwise, mixing = c_in * k * k, c_out * c_in
    return (depthwise + mixing) / full


def sharpen(blur, amount):
    copy = np.zeros_like(blur)
    copy[blur.shape[0] // 2, blur.shape[1] // 2] = 1
    return copy + amount * (copy - blur)


def noise_after(first, second, noise):
    both = scipy.signal.convolve2d(first, second)
    return noise * np.sqrt((both**2).sum())


def brightness_layer(kernels):
    brightness = np.array([0.299, 0.587, 0.114])
    return brightness[None, :, None, None] * kernels[:, None]


def steer(sobel_x, sobel_y, degrees):
    angle = np.radians(degrees)
    return np.cos(angle) * sobel_x + np.sin(angle) * sobel_y


def _filtered(picture, kernel, **how):
    """The reference with other padding: ``np.pad``'s arguments."""
    kh, kw = kernel.shape
    border = [(kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)][: picture.ndim]
    padded = np.pad(picture.astype(float), border, **how)
    return np.tensordot(sliding_window_view(padded, (kh, kw), axis=(0, 1)), kernel, axes=2)


def _inside(picture, kernel):
    windows = sliding_window_view(picture.astype(float), kernel.shape, axis=(0, 1))
    return np.tensordot(windows, kernel, axes=2)


def _at_the_end(picture, kernel):
    kh, kw = kernel.shape
    padded = np.pad(picture.astype(float), [(0, kh - 1), (0, kw - 1), (0, 0)][: picture.ndim], mode="edge")
    return np.tensordot(sliding_window_view(padded, (kh, kw), axis=(0, 1)), kernel, axes=2)


def _too_wide(picture, kernel):
    kh, kw = kernel.shape
    padded = np.pad(picture.astype(float), [(kh, kh), (kw, kw), (0, 0)][: picture.ndim], mode="edge")
    return np.tensordot(sliding_window_view(padded, (kh, kw), axis=(0, 1)), kernel, axes=2)


def _padded_everywhere(picture, kernel):
    padded = np.pad(picture.astype(float), kernel.shape[0] // 2, mode="edge")
    return np.tensordot(sliding_window_view(padded, kernel.shape, axis=(0, 1)), kernel, axes=2)


def _mixed(picture, kernel):
    y = filter_image(picture, kernel)
    return y if y.ndim == 2 else y.sum(-1)


def _channels_first(picture, kernel):
    y = filter_image(picture, kernel)
    return y if y.ndim == 2 else y.transpose(2, 0, 1)


def _corner(blur, amount):
    copy = np.zeros_like(blur)
    copy[0, 0] = 1
    return copy + amount * (copy - blur)


def _copy(blur):
    copy = np.zeros_like(blur)
    copy[blur.shape[0] // 2, blur.shape[1] // 2] = 1
    return copy


def _square_copy(blur):
    copy = np.zeros_like(blur)
    copy[len(blur) // 2, len(blur) // 2] = 1
    return copy


def _pixels(shape, seed):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


_RELIEF = np.array([[-2.0, -1, 0], [-1, 1, 1], [0, 1, 3]])
_PICTURES = [
    Case(_pixels((5, 6), 1), _RELIEF),
    Case(_pixels((6, 7, 3), 2), _RELIEF),
    Case(_pixels((7, 6, 3), 3), np.arange(15.0).reshape(3, 5) / 64),
    Case(_pixels((8, 9), 4), np.arange(25.0).reshape(5, 5) - 11),
]

_BELL = np.array([1.0, 4, 6, 4, 1])
_WAVE = np.array([-1.0, 2, 0.3, -2, 1])
_KERNELS = [
    Case(np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])),
    Case(np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])),
    Case(np.outer(_BELL, _BELL) / 256),
    Case(np.outer(_BELL, _WAVE) / 7 + np.outer(_WAVE, _BELL) / 3),
    Case(np.array([[0.1, 0.2, 0.4, 0.2, 0.1]])),
    Case(1e-20 * np.outer(_BELL, np.array([1.0, 2, 1, 3, 0.1, 5, 1]))),
    Case(np.eye(7) / 7),
    Case(np.array([[0.0, 0, 0], [1, 2, 1], [0, 0, 0]])),
    Case(np.subtract.outer(np.arange(7.0), np.arange(7.0)) ** 2),  # rank 3
]

_BLURS = [
    Case(np.full((3, 3), 1 / 9), 1.0),
    Case(np.outer(_BELL, _BELL) / 256, 0.5),
    Case(np.outer([1.0, 2, 1], [1.0, 2, 1]) / 16, 3.0),
    Case(np.full((3, 7), 1 / 21), 2.0),
]

_NOISY = [
    Case(np.full((3, 3), 1 / 9), np.full((3, 3), 1 / 9), 10.0),
    Case(np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]), np.outer(_BELL, _BELL) / 128, 5.0),
    Case(np.array([[1.0, 2, 0], [0, 3, -1], [0, 0, 1]]), np.array([[2.0, -1, 0], [1, 0, 0], [0, 0, 1]]), 2.0),
    Case(np.array([[1.0, 2, 4, 2, 1]]) / 5, np.array([[1.0], [3], [1]]), 8.0),
]

_BANKS = [
    Case(np.arange(18.0).reshape(2, 3, 3) - 7),
    Case(np.arange(75.0).reshape(3, 5, 5) ** 2 % 11 - 4),
]

_SOBEL_X = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
_ANGLES = [Case(_SOBEL_X, _SOBEL_X.T.copy(), degrees) for degrees in (30, 90, 135, 200, 0)]

EXERCISES = [
    Exercise(
        id="02.1",
        title="Filter a picture",
        reference=filter_image,
        cases=_PICTURES,
        mistakes=[
            Mistake(
                lambda x, w: _filtered(x, w, mode="constant"),
                'Zeros stand around your picture, so the border comes out dark. Repeat the edge pixels: `mode="edge"`.',
            ),
            Mistake(
                lambda x, w: _filtered(x, w, mode="reflect"),
                "Your border mirrors the picture. Asked for is the edge pixel itself, repeated outwards.",
            ),
            Mistake(
                lambda x, w: _filtered(x, w, mode="symmetric"),
                "Your border mirrors the picture, edge pixel included (SciPy's default). Asked for is the edge pixel only, repeated outwards.",
            ),
            Mistake(
                lambda x, w: scipy.signal.convolve2d(x, w, "same"),
                "`convolve2d` turns the kernel by 180° and puts zeros around the picture (and takes one channel at a time). Lay the kernel down as it is, and repeat the edge.",
            ),
            Mistake(
                _padded_everywhere,
                "The colour axis was padded, too, so there are channels that the picture does not have. Widen rows and columns only.",
            ),
            Mistake(
                lambda x, w: _filtered(x, w, mode="wrap"),
                "Your picture continues at the opposite side, as if it were rolled up. Repeat the edge pixels instead.",
            ),
            Mistake(
                _inside,
                "The result is smaller than the picture: the kernel goes only where it fits. Add half a kernel at each side first.",
            ),
            Mistake(
                _too_wide,
                "The result is larger than the picture: a whole kernel was added at each side. Half of it, `k // 2`, keeps the size.",
            ),
            Mistake(
                _at_the_end,
                "The size is right, but the picture has moved: all the border was added at the bottom and the right. Put half of it at each side.",
            ),
            Mistake(
                lambda x, w: filter_image(x, w[::-1, ::-1]),
                "The kernel is turned by 180°, as in the convolution of mathematics. Lay it down as it is written.",
            ),
            Mistake(
                lambda x, w: filter_image(x, w.T),
                "Rows and columns of the kernel are exchanged: its first index goes down the picture.",
            ),
            Mistake(
                lambda x, w: np.clip(filter_image(x, w), 0, 255),
                "You cut the result off at 0 and 255. An edge filter needs its negative values; leave the clipping to whoever draws it.",
            ),
            Mistake(
                lambda x, w: filter_image(x, w).astype(np.int64).astype(np.uint8),
                "The result went back into `uint8` and wrapped around at 256. Return floats.",
            ),
            Mistake(
                lambda x, w: filter_image(x, w / np.abs(w).sum()),
                "You divided the kernel by the sum of its sizes. Some filters need other sums; use the kernel as it is.",
            ),
            Mistake(
                lambda x, w: filter_image(x, w / w.sum()),
                "You divided the kernel by its sum. That suits a blur; an edge kernel sums to zero. Use the kernel as it is.",
            ),
            Mistake(
                _mixed,
                "Red, green and blue were added up, and a colour picture came out grey. Filter each channel on its own.",
            ),
            Mistake(
                _channels_first,
                "The channels stand in front. The result has the shape of the picture, `(H, W, 3)`.",
            ),
            Mistake(
                lambda x, w: np.clip(filter_image(x, w), 0, 255).astype(np.uint8),
                "The result has the picture's type, `uint8`, and loses signs, fractions and all above 255. Return floats.",
            ),
        ],
        hints=(
            "Two steps: make the picture larger by half a kernel at each side, then let the kernel go where it fits.",
            '`np.pad(…, mode="edge")` on the first two axes only, then `sliding_window_view(…, kernel.shape, axis=(0, 1))`.',
            "The windows have the shape (H, W, kh, kw) or (H, W, 3, kh, kw): multiply by the kernel and sum over the last two axes.",
        ),
    ),
    Exercise(
        id="02.2",
        title="The cheapest way",
        reference=cheapest,
        cases=_KERNELS,
        mistakes=[
            Mistake(
                lambda w: w.size,
                "That is the direct way. Where the kernel is an outer product, a column and a row do the same for less.",
            ),
            Mistake(
                lambda w: sum(w.shape),
                "That takes every kernel for separable. The Laplacian is not: it is a sum of two outer products.",
            ),
            Mistake(
                lambda w: np.linalg.matrix_rank(w) * sum(w.shape),
                "A kernel of high rank is cheaper the direct way: take the smaller of the two counts.",
            ),
            Mistake(
                lambda w: min(w.size, np.count_nonzero(np.linalg.svd(w, compute_uv=False)) * sum(w.shape)),
                "You counted singular values that are not exactly zero. Rounding leaves values around 1e-16 there: compare with the largest one.",
            ),
            Mistake(
                lambda w: min(w.size, (np.linalg.svd(w, compute_uv=False) > 1e-6).sum() * sum(w.shape)),
                "Your limit for a singular value is a fixed number, so a kernel of tiny numbers has rank 0. Compare with the largest singular value.",
            ),
            Mistake(
                lambda w: min(w.size, np.linalg.matrix_rank(w) * 2 * w.shape[0]),
                "Not every kernel is square: a column has as many numbers as the kernel has rows, a row as many as it has columns.",
            ),
            Mistake(
                lambda w: w.size if np.linalg.matrix_rank(w) > 1 else min(w.size, sum(w.shape)),
                "Rank 1 is not the only bargain: two pairs cost 20 for a 5×5 kernel of rank 2, and the direct way 25.",
            ),
            Mistake(
                lambda w: sum(w.shape) if np.linalg.matrix_rank(w) == 1 else w.size,
                "Two slips: one row alone is cheaper the direct way, and a 5×5 kernel of rank 2 is cheaper in two pairs. Compare the two counts for every kernel.",
            ),
            Mistake(
                lambda w: np.linalg.matrix_rank(w) * 2 * len(w),
                "Two slips: the direct way can be cheaper, and a kernel that is not square has rows and columns of different length.",
            ),
            Mistake(
                lambda w: 2 * len(w) if np.linalg.matrix_rank(w) == 1 else w.size,
                "Rank 1 is not the only bargain, and 2K is its price for square kernels only. Compare the two counts, with rows and columns as they are.",
            ),
            Mistake(
                lambda w: np.count_nonzero(w),
                "You left out the zeros. Here every number counts as a multiplication, as it does in a matrix product.",
            ),
            Mistake(
                lambda w: min(w.size, sum(w.shape)),
                "A column and a row do only for rank 1. The Laplacian has rank 2 and needs two pairs.",
            ),
        ],
        hints=(
            "There are two ways: the kernel as it is, or as a sum of outer products. What does each cost?",
            "A kernel of rank r is a sum of r outer products, and each of those is one pass with a column and one with a row.",
            "Compare `kernel.size` with the rank times (rows + columns).",
        ),
    ),
    Exercise(
        id="02.3",
        title="The shape of a grouped layer's weight",
        reference=(128, 16, 3, 3),
        name="shape",
        mistakes=[
            Mistake(
                (128, 64, 3, 3),
                "That is the layer without groups. With four groups, a kernel sees a quarter of the input channels.",
            ),
            Mistake(
                (16, 128, 3, 3),
                "Output and input are exchanged: PyTorch writes the output channels first.",
            ),
            Mistake(
                (64, 32, 3, 3),
                "Input and output are exchanged, and the outputs were divided. First all 128 output channels, then the input channels that one kernel sees.",
            ),
            Mistake(
                (64, 128, 3, 3),
                "Two slips: output channels stand first, and with four groups a kernel sees a quarter of the input channels.",
            ),
            Mistake(
                (16, 32, 3, 3),
                "Both numbers were divided and exchanged. The layer has all 128 kernels along the first axis; only what each of them sees is divided.",
            ),
            Mistake(
                (512, 16, 3, 3),
                "128 is the number of all outputs, not of each group's: 32 come from each of the four groups.",
            ),
            Mistake(
                128 * 16 * 9, "That is how many numbers there are. Asked for is the shape: four numbers."
            ),
            Mistake(
                (32, 16, 3, 3),
                "That is the weight of one group. The layer keeps all four, one after the other, along the first axis.",
            ),
            Mistake(
                (32, 64, 3, 3),
                "The groups divide what a kernel sees, not how many kernels there are: 128 outputs need 128 kernels.",
            ),
            Mistake(
                (4, 32, 16, 3, 3),
                "The numbers are right, but PyTorch has no axis for the groups: the kernels of all groups stand in one row.",
            ),
            Mistake(
                (128, 4, 3, 3),
                "4 is the number of groups. Each kernel sees the input channels of its group: how many are these?",
            ),
            Mistake(
                (128, 1, 3, 3),
                "One input channel for each kernel is a depthwise layer, `groups=64`. Here are only four groups.",
            ),
            Mistake((128, 16, 3), "A kernel has rows and columns: two numbers for its size."),
            Mistake(
                (128, 16), "The kernel's own size is missing: it has 3 rows and 3 columns for each channel."
            ),
        ],
        hints=(
            "Which of the four axes do the groups change?",
            "One kernel makes one output channel. It looks only at the input channels of its own group.",
            "128 kernels, each for 64 / 4 input channels.",
        ),
    ),
    Exercise(
        id="02.4",
        title="What the split saves",
        reference=share,
        cases=[Case(64, 128, 3), Case(32, 16, 5), Case(8, 8, 1), Case(3, 64, 7)],
        mistakes=[
            Mistake(lambda i, o, k: 1 / o, "That is the depthwise part alone. The 1×1 layer costs, too."),
            Mistake(lambda i, o, k: 1 / k**2, "That is the 1×1 part alone. The depthwise layer costs, too."),
            Mistake(
                lambda i, o, k: 1 / (1 / o + 1 / k**2),
                "That is how many times cheaper it is. Asked for is the share that is left.",
            ),
            Mistake(
                lambda i, o, k: 1 - (1 / o + 1 / k**2),
                "That is what is saved. Asked for is the share that is left.",
            ),
            Mistake(
                lambda i, o, k: i * k * k + i * o,
                "That is the number of multiplications for a pixel. Divide by those of the full layer.",
            ),
            Mistake(
                lambda i, o, k: (i * k * k + i * o) // (i * o * k * k),
                "`//` cuts the fraction off. Divide with `/`.",
            ),
            Mistake(
                lambda i, o, k: (i * k * k + i + i * o + o) / (i * o * k * k + o),
                "Those are parameters with their biases. A bias is added, not multiplied: leave it out.",
            ),
            Mistake(
                lambda i, o, k: (i * k + i * o) / (i * o * k),
                "A kernel has k × k numbers, not k.",
            ),
            Mistake(
                lambda i, o, k: (o * k * k + i * o) / (i * o * k * k),
                "The depthwise layer comes first, so it has c_in kernels: one for each input channel.",
            ),
            Mistake(
                lambda i, o, k: (i * k * k) * (i * o) / (i * o * k * k),
                "One layer runs after the other: their costs are added, not multiplied.",
            ),
            Mistake(
                lambda i, o, k: 1 / (o * k * k),
                "Both savings at once would be too good: the depthwise layer mixes no channels, so the 1×1 layer has to.",
            ),
        ],
        hints=(
            "How many multiplications does each of the three layers need for one pixel?",
            "Full: c_out · c_in · k². Depthwise: one k × k table for each input channel. 1×1: one number for each pair of channels.",
            "(c_in · k² + c_out · c_in) divided by the full layer's count.",
        ),
    ),
    Exercise(
        id="02.5",
        title="Sharpen with any blur",
        reference=sharpen,
        cases=_BLURS,
        mistakes=[
            Mistake(
                lambda b, a: _copy(b) + a * (b - _copy(b)),
                "The sign is turned: that blurs. Add what the blur took away, picture minus blur.",
            ),
            Mistake(
                lambda b, a: _copy(b) - a * b,
                "The numbers no longer sum to 1, so the picture gets darker. Add amount · (copy - blur), not - amount · blur.",
            ),
            Mistake(
                lambda b, a: a * (_copy(b) - b),
                "That is the detail alone, and flat areas turn black. The picture itself is missing.",
            ),
            Mistake(
                _corner,
                "The kernel that copies a picture has its 1 in the middle. In the corner it moves the picture as well.",
            ),
            Mistake(
                lambda b, a: a * _copy(b) - b,
                "Only the copy got the amount. Detail is copy minus blur; the amount belongs to both.",
            ),
            Mistake(
                lambda b, a: (1 + a) * _copy(b) - b,
                "The blur needs the amount, too: (1 + amount) · copy - amount · blur.",
            ),
            Mistake(
                lambda b, a: 2 * _copy(b) - b,
                "The slider does nothing: `amount` is missing. Detail, copy - blur, is added `amount` times.",
            ),
            Mistake(
                lambda b, a: np.ones_like(b) + a * (np.ones_like(b) - b),
                "A kernel full of ones adds up the neighbourhood. The kernel that copies a picture is zero but for the middle.",
            ),
            Mistake(
                lambda b, a: np.eye(*b.shape) + a * (np.eye(*b.shape) - b),
                "`np.eye` has ones along the diagonal: that blurs along it. The kernel that copies a picture has a single 1, in the middle.",
            ),
            Mistake(
                lambda b, a: _square_copy(b) + a * (_square_copy(b) - b),
                "Not every kernel is square: the middle column is `shape[1] // 2`.",
            ),
            Mistake(
                lambda b, a: b + a * (_copy(b) - b),
                "You add the detail to the blurred picture, so amount 1 only gives the original back. Add it to the picture itself.",
            ),
        ],
        hints=(
            "What does blurring take away from a picture? Give that back, `amount` times.",
            "The kernel that copies a picture has a 1 in the middle and zeros around it. Detail = copy - blur.",
            "copy + amount · (copy - blur); its numbers sum to 1.",
        ),
    ),
    Exercise(
        id="02.6",
        title="Noise through two filters",
        reference=noise_after,
        cases=_NOISY,
        mistakes=[
            Mistake(
                lambda f, g, s: s * np.linalg.norm(f) * np.linalg.norm(g),
                "The product of the norms holds for independent errors. After the first filter, neighbours share errors and are no longer independent.",
            ),
            Mistake(
                lambda f, g, s: s * np.linalg.norm(scipy.signal.convolve2d(f, g, "same")),
                "The rim of the combined kernel is cut off. Two filters see further than one, so their kernel is larger.",
            ),
            Mistake(
                lambda f, g, s: s * (scipy.signal.convolve2d(f, g) ** 2).sum(),
                "The squares are right for the variance. A standard deviation needs the root.",
            ),
            Mistake(
                lambda f, g, s: s**2 * (scipy.signal.convolve2d(f, g) ** 2).sum(),
                "That is the variance. The standard deviation is its root.",
            ),
            Mistake(lambda f, g, s: s * np.linalg.norm(f), "That is the noise after the first filter only."),
            Mistake(lambda f, g, s: s * np.linalg.norm(g), "That is what the second filter alone would do."),
            Mistake(
                lambda f, g, s: s * np.hypot(np.linalg.norm(f), np.linalg.norm(g)),
                "Variances add up where two independent errors are added. Here one filter follows the other.",
            ),
            Mistake(
                lambda f, g, s: s * abs(f.sum() * g.sum()),
                "The sums say what happens to an even area. Noise is not even: square the weights.",
            ),
            Mistake(
                lambda f, g, s: s * np.linalg.norm(f * g),
                "The kernels are not multiplied number by number: each number of one weights a shifted copy of the other.",
            ),
            Mistake(
                lambda f, g, s: s * np.linalg.norm(f + g),
                "The sum of two kernels is what two filters side by side do. These are one after the other.",
            ),
        ],
        hints=(
            "After the first filter, are the errors of two neighbours still independent? If not, which step back helps?",
            "Two filters in a row are one filter with a larger kernel (exercise 01.6). On that one, the errors are independent.",
            "The combined kernel is `scipy.signal.convolve2d(first, second)`; multiply its norm by the noise.",
        ),
    ),
    Exercise(
        id="02.7",
        title="Colour in, edges out",
        reference=brightness_layer,
        cases=_BANKS,
        mistakes=[
            Mistake(
                lambda w: brightness_layer(w).transpose(1, 0, 2, 3),
                "Input and output channels are exchanged: the weight is (C_out, C_in, K, K).",
            ),
            Mistake(
                lambda w: np.repeat(w[:, None], 3, 1) / 3,
                "That is the mean of red, green and blue. Brightness weighs them: `0.299, 0.587, 0.114`.",
            ),
            Mistake(
                lambda w: np.repeat(w[:, None], 3, 1),
                "The kernels are repeated for the three colours, unweighted: that filters their sum. Multiply by `0.299, 0.587, 0.114`.",
            ),
            Mistake(
                lambda w: brightness_layer(w)[:, ::-1],
                "Red and blue are exchanged: the channels come as red, green, blue.",
            ),
            Mistake(
                lambda w: w[:, None],
                "One input channel is what a grey picture has. This layer gets three, and makes the brightness itself.",
            ),
            Mistake(
                lambda w: w,
                "The axis of the input channels is missing: one table for each of red, green and blue.",
            ),
            Mistake(
                lambda w: brightness_layer(w)[..., ::-1, ::-1],
                "The kernels are turned by 180°. A layer lays them down as they are.",
            ),
            Mistake(
                lambda w: brightness_layer(w) / 3,
                "The layer sums over the channels, and the three weights already sum to 1: do not divide by 3.",
            ),
            Mistake(
                lambda w: brightness_layer(w).transpose(0, 2, 3, 1),
                "The channels stand last. PyTorch wants them second: (C_out, C_in, K, K).",
            ),
            Mistake(
                lambda w: brightness_layer(w).swapaxes(2, 3),
                "Rows and columns of the kernels are exchanged.",
            ),
            Mistake(
                lambda w: w[:, None] * np.array([0.299, 0.587, 0.114]),
                "The three weights met the columns of the kernels. Give them the axis of the input channels: `brightness[None, :, None, None]`.",
            ),
        ],
        hints=(
            "Brightness is a sum over three channels, and so is a layer. Which table stands at w[o, c]?",
            "Filtering brightness = filtering each colour with the same kernel and summing with the weights of brightness.",
            "weight[o, c] = brightness[c] · kernels[o]; with axes of length 1, NumPy does it in one product.",
        ),
    ),
    Exercise(
        id="02.8",
        title="An edge at any angle",
        reference=steer,
        cases=_ANGLES,
        mistakes=[
            Mistake(
                lambda x, y, d: np.cos(d) * x + np.sin(d) * y,
                "`np.cos` takes radians. Convert first: `np.radians(degrees)`.",
            ),
            Mistake(
                lambda x, y, d: np.sin(np.radians(d)) * x + np.cos(np.radians(d)) * y,
                "Sine and cosine are exchanged: at 0 degrees the result is `sobel_x`.",
            ),
            Mistake(
                lambda x, y, d: np.cos(np.radians(d)) * x - np.sin(np.radians(d)) * y,
                "That turns the wrong way: rows are counted downwards, and so is the angle. At 90 degrees the result is `sobel_y`.",
            ),
            Mistake(
                lambda x, y, d: (1 - d / 90) * x + d / 90 * y,
                "A blend in proportion to the angle is right at 0 and 90 degrees only. On the way between, the weights run on a circle.",
            ),
            Mistake(
                lambda x, y, d: scipy.ndimage.rotate(x, -d, reshape=False, order=1),
                "That turns the table's cells and interpolates, and corners fall out. Turn the direction instead: mix the two kernels.",
            ),
            Mistake(
                lambda x, y, d: scipy.ndimage.rotate(x, d, reshape=False, order=1),
                "That turns the table's cells, and the wrong way round. No pixel needs to turn: mix the two kernels.",
            ),
            Mistake(
                lambda x, y, d: (
                    (np.cos(np.radians(d)) * x + np.sin(np.radians(d)) * y)
                    / (abs(np.cos(np.radians(d))) + abs(np.sin(np.radians(d))))
                ),
                "The weights need not sum to 1: their squares do, and that keeps the strength the same at every angle.",
            ),
            Mistake(
                lambda x, y, d: np.abs(np.cos(np.radians(d))) * x + np.abs(np.sin(np.radians(d))) * y,
                "Without its signs the angle stays in the first quarter: 135 degrees becomes 45.",
            ),
            Mistake(
                lambda x, y, d: np.hypot(np.cos(np.radians(d)) * x, np.sin(np.radians(d)) * y),
                "The length of the gradient forgets its direction. Here the two kernels are added, with their signs.",
            ),
        ],
        hints=(
            "The two kernels measure how brightness grows to the right and downwards. How much does it grow along a slope between the two?",
            "A direction has two parts: its cosine to the right and its sine downwards.",
            "cos · sobel_x + sin · sobel_y, with the angle in radians.",
        ),
    ),
]
