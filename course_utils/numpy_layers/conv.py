"""Convolution and transposed convolution: one matrix product each, on patches."""

from __future__ import annotations

import numpy as np  # noqa: F401 - the examples use it

from course_utils.errors import LayerError
from course_utils.numpy_layers.windows import add_patches, need_array, need_images, pair, patches


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide kernels over images: a sum of products at each place, for each kernel.

    x: (N, C, H, W) · weight: (O, C / groups, kh, kw) · bias: (O,) or None → (N, O, H', W'), where
    ``H' = (H + 2 * padding - dilation * (kh - 1) - 1) // stride + 1``. The kernels of group g see the channels of
    group g alone; ``groups=C`` is a depthwise convolution. Raises :class:`LayerError` for shapes that do not fit.
    Lesson 01; lesson 02 for groups, lesson 03 for the rest.

    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(x, np.ones((1, 1, 2, 2)))[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    _check(x, weight, bias, groups)
    columns, size = _columns(x, weight.shape[2:], stride, padding, dilation, groups)
    y = _from_groups(_matrices(weight, groups) @ columns, len(x), size)
    return y if bias is None else y + bias[:, None, None]


def conv2d_backward(dy, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Pull the gradient ``dy`` of the loss by y = conv2d(x, weight, bias, …) back to what y was made from.

    dy: (N, O, H', W') → dx, dweight, dbias, each shaped like its array; dbias is None without bias. The weight
    collects ``dy`` times the patch from every place; each patch gets ``dy`` times the weight. Lesson 07.

    >>> dx, dweight, _ = conv2d_backward(np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    >>> dx[0, 0], dweight[0, 0]
    (array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]]), array([[4., 4.],
           [4., 4.]]))
    """
    _check(x, weight, bias, groups)
    columns, size = _columns(x, weight.shape[2:], stride, padding, dilation, groups)
    need_array(dy, (len(x), len(weight), *size), "dy", "the shape of y")
    grouped = _to_groups(dy, groups)
    dweight = (grouped @ columns.swapaxes(1, 2)).reshape(weight.shape)
    dcolumns = _matrices(weight, groups).swapaxes(1, 2) @ grouped
    dpatches = _from_groups(dcolumns, len(x), size).reshape(*x.shape[:2], *weight.shape[2:], *size)
    dx = add_patches(dpatches, x.shape[2:], stride, padding, dilation)
    return dx, dweight, None if bias is None else dy.sum((0, 2, 3))


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Stamp a kernel for each input pixel, ``stride`` apart, and add up: conv2d's step from dy to dx.

    x: (N, C, H, W) · weight: (C, O / groups, kh, kw) · bias: (O,) or None → (N, O, H', W'), where
    ``H' = (H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1``. ``output_padding`` adds rows
    and columns at the end, to choose among the sizes that a strided conv2d maps to the same one.
    Raises :class:`LayerError` for shapes that do not fit. Lesson 03; Dumoulin and Visin, 2016.

    >>> conv_transpose2d(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), stride=2).shape
    (1, 1, 4, 4)
    """
    size = _check_transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)
    columns = _matrices(weight, groups).swapaxes(1, 2) @ _to_groups(x, groups)
    stamps = _from_groups(columns, len(x), x.shape[2:])
    outputs = groups * weight.shape[1]
    stamps = stamps.reshape(len(x), outputs, *weight.shape[2:], *x.shape[2:])
    y = add_patches(stamps, size, stride, padding, dilation)
    return y if bias is None else y + bias[:, None, None]


def conv_transpose2d_backward(
    dy, x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """Pull ``dy`` back through conv_transpose2d: dx is a conv2d of dy with the same weight.

    dy: (N, O, H', W') → dx, dweight, dbias, each shaped like its array; dbias is None without bias. Lesson 07.

    >>> x, weight = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    >>> conv_transpose2d_backward(np.ones((1, 1, 4, 4)), x, weight, stride=2)[0][0, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    size = _check_transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)
    need_array(dy, (len(x), groups * weight.shape[1], *size), "dy", "the shape of y")
    columns, places = _columns(dy, weight.shape[2:], stride, padding, dilation, groups)
    rows, cols = x.shape[2:]  # output_padding can leave room for one place more than x has
    columns = columns.reshape(*columns.shape[:2], len(x), *places)[..., :rows, :cols]
    columns = columns.reshape(*columns.shape[:2], len(x) * rows * cols)
    dx = _from_groups(_matrices(weight, groups) @ columns, len(x), (rows, cols))
    dweight = (_to_groups(x, groups) @ columns.swapaxes(1, 2)).reshape(weight.shape)
    return dx, dweight, None if bias is None else dy.sum((0, 2, 3))


def _columns(x, kernel_size, stride, padding, dilation, groups):
    """im2col: (groups, C / groups · kh · kw, N · H' · W'), one column for each place, and (H', W')."""
    p = patches(x, kernel_size, stride, padding, dilation)
    n, c, kh, kw, h, w = p.shape
    return p.transpose(1, 2, 3, 0, 4, 5).reshape(groups, c // groups * kh * kw, n * h * w), (h, w)


def _matrices(weight, groups):
    """The kernels as the rows of one matrix for each group: (groups, O / groups, C / groups · kh · kw)."""
    return weight.reshape(groups, len(weight) // groups, weight[0].size)


def _to_groups(y, groups):
    """(N, O, H, W) → (groups, O / groups, N · H · W), the shape that the matrix products work in."""
    n, o, h, w = y.shape
    return y.transpose(1, 0, 2, 3).reshape(groups, o // groups, n * h * w)


def _from_groups(y, n, size):
    """(groups, O / groups, N · H · W) → (N, O, H, W)."""
    return y.reshape(y.shape[0] * y.shape[1], n, *size).swapaxes(0, 1)


def _check(x, weight, bias, groups):
    need_images(x)
    need_images(weight, "weight")
    c, o = x.shape[1], len(weight)
    if groups < 1 or c % groups or o % groups or weight.shape[1] != c // groups or not weight.size:
        raise LayerError(
            f"x has shape {x.shape}, weight {weight.shape} and groups is {groups}. Valid: weight (O, C / groups, kh, kw) "
            f"for the {c} channels of x, with C and O divisible by groups. Check the order of weight's axes and groups."
        )
    if bias is not None:
        need_array(bias, (o,), "bias", "one number for each output channel")


def _check_transposed(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """Check the shapes and return the output's size."""
    need_images(x)
    need_images(weight, "weight")
    c = x.shape[1]
    if groups < 1 or c % groups or len(weight) != c or not weight.size:
        raise LayerError(
            f"x has shape {x.shape}, weight {weight.shape} and groups is {groups}. Valid: weight (C, O / groups, kh, kw) "
            f"for the {c} channels of x, with C divisible by groups. Check the order of weight's axes and groups."
        )
    if bias is not None:
        need_array(bias, (groups * weight.shape[1],), "bias", "one number for each output channel")
    strides, pads, extras = (
        pair(stride, "stride", 1),
        pair(padding, "padding", 0),
        pair(output_padding, "output_padding", 0),
    )
    dilations = pair(dilation, "dilation", 1)
    if any(e >= max(s, d) for e, s, d in zip(extras, strides, dilations, strict=True)):
        raise LayerError(
            f"output_padding is {extras}, with stride {strides} and dilation {dilations}. "
            "Valid: less than stride or dilation."
        )
    each = zip(x.shape[2:], strides, pads, dilations, weight.shape[2:], extras, strict=True)
    size = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in each)
    if min(size) < 1:
        raise LayerError(
            f"x has shape {x.shape}, weight {weight.shape}, and padding is {pads}: "
            f"the output would have {size} pixels. Use less padding or a larger kernel."
        )
    return size
