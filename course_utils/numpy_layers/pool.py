"""Pooling: one number from each patch of each channel."""

from __future__ import annotations

import numpy as np

from course_utils.errors import LayerError
from course_utils.numpy_layers.windows import add_patches, need_array, need_images, patches, settings


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1):
    """Take the largest number of each patch.

    x: (N, C, H, W) → (N, C, H', W'), with H' as in conv2d. ``stride`` is ``kernel_size`` if not given. Padding counts as
    -inf and is at most half the kernel's span: it wins only where every pixel of a dilated kernel falls on it. Raises :class:`LayerError` for shapes that do not fit. Lesson 04.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return _choices(x, kernel_size, stride, padding, dilation).max(2)


def max_pool2d_backward(dy, x, kernel_size, stride=None, padding=0, dilation=1):
    """Give the gradient of each patch to its largest number; among equals, to the first in reading order.

    dy: (N, C, H', W') → dx: (N, C, H, W). Lessons 04 and 07.

    >>> max_pool2d_backward(np.ones((1, 1, 1, 1)), np.array([[[[1.0, 5.0], [5.0, 2.0]]]]), 2)[0, 0]
    array([[0., 1.],
           [0., 0.]])
    """
    choices = _choices(x, kernel_size, stride, padding, dilation)
    n, c, k, h, w = choices.shape
    need_array(dy, (n, c, h, w), "dy", "the shape of y")
    winners = choices.argmax(2)[:, :, None] == np.arange(k)[:, None, None]  # (N, C, kh · kw, H', W')
    return _add(winners * dy[:, :, None], x, kernel_size, stride, padding, dilation)


def avg_pool2d(x, kernel_size, stride=None, padding=0, *, count_include_pad=True):
    """Take the mean of each patch.

    x: (N, C, H, W) → (N, C, H', W'). ``stride`` is ``kernel_size`` if not given. The padding's zeros count as
    pixels, unless ``count_include_pad`` is False. Raises :class:`LayerError` for shapes that do not fit. Lesson 04.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    _check(x, kernel_size, padding)
    p = patches(x, kernel_size, _stride(stride, kernel_size), padding)
    return p.sum((2, 3)) / _counts(x, kernel_size, stride, padding, count_include_pad)


def avg_pool2d_backward(dy, x, kernel_size, stride=None, padding=0, *, count_include_pad=True):
    """Share the gradient of each patch equally among its pixels.

    dy: (N, C, H', W') → dx: (N, C, H, W). Lessons 04 and 07.

    >>> avg_pool2d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 1, 2, 2)), 2)[0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    _check(x, kernel_size, padding)
    p = patches(x, kernel_size, _stride(stride, kernel_size), padding)
    need_array(dy, (*p.shape[:2], *p.shape[4:]), "dy", "the shape of y")
    share = dy / _counts(x, kernel_size, stride, padding, count_include_pad)
    dpatches = np.broadcast_to(share[:, :, None, None], p.shape)
    return add_patches(dpatches, x.shape[2:], _stride(stride, kernel_size), padding)


def global_avg_pool2d(x):
    """Take the mean of each channel: the shape that a linear layer takes.

    x: (N, C, H, W) → (N, C). Raises :class:`LayerError` for another shape. Lesson 04; Lin et al., 2013.

    >>> global_avg_pool2d(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[1.5, 5.5]])
    """
    _need_pixels(x)
    return x.mean((2, 3))


def global_avg_pool2d_backward(dy, x):
    """Share the gradient of each channel equally among its pixels: dy (N, C) → dx (N, C, H, W). Lesson 07.

    >>> global_avg_pool2d_backward(np.ones((1, 1)), np.zeros((1, 1, 2, 2)))[0, 0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    _need_pixels(x)
    need_array(dy, x.shape[:2], "dy", "the shape of y")
    return np.broadcast_to(dy[:, :, None, None] / (x.shape[2] * x.shape[3]), x.shape).astype(dy.dtype)


def lp_pool2d(x, norm_type, kernel_size, stride=None):
    """Take the Lp norm of each patch: ``(sum of |x|ᵖ) ** (1 / p)`` with p = ``norm_type``.

    x: (N, C, H, W) → (N, C, H', W'). p = 1 is the sum of magnitudes; a large p nears their maximum. (PyTorch leaves
    the bars out, so it gives the same for even p or x from 0 on, and NaN where an odd p meets a negative sum.)
    Raises :class:`LayerError` for shapes that do not fit and for p that is not above 0 or not finite. Lesson 04.

    >>> lp_pool2d(np.array([[[[3.0, 0.0], [0.0, -4.0]]]]), 2, 2)
    array([[[[5.]]]])
    """
    _check(x, kernel_size, 0)
    _need_norm(norm_type)
    p = np.abs(patches(x, kernel_size, _stride(stride, kernel_size)))
    largest = p.max((2, 3), keepdims=True)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1)  # else a large p overflows
    return ((p / scale) ** norm_type).sum((2, 3)) ** (1 / norm_type) * scale[:, :, 0, 0]


def lp_pool2d_backward(dy, x, norm_type, kernel_size, stride=None):
    """Share the gradient of each patch by ``sign(x) · (|x| / y)ᵖ⁻¹``; a patch of zeros gets zeros.

    dy: (N, C, H', W') → dx: (N, C, H, W). Lesson 07.

    >>> lp_pool2d_backward(np.ones((1, 1, 1, 1)), np.array([[[[3.0, 0.0], [0.0, -4.0]]]]), 2, 2)[0, 0]
    array([[ 0.6,  0. ],
           [ 0. , -0.8]])
    """
    y = lp_pool2d(x, norm_type, kernel_size, stride)
    need_array(dy, y.shape, "dy", "the shape of y")
    p = patches(x, kernel_size, _stride(stride, kernel_size))
    nonzero = np.where(y > 0, y, 1)[:, :, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # for p < 1 the slope at 0 is infinite; it becomes 0
        slope = np.where(p != 0, np.sign(p) * (np.abs(p) / nonzero) ** (norm_type - 1), 0).astype(p.dtype)
    return add_patches(dy[:, :, None, None] * slope, x.shape[2:], _stride(stride, kernel_size))


def _choices(x, kernel_size, stride, padding, dilation):
    """The patches with their pixels on one axis: (N, C, kh · kw, H', W')."""
    _check(x, kernel_size, padding, dilation)
    p = patches(x, kernel_size, _stride(stride, kernel_size), padding, dilation, fill=-np.inf)
    n, c, kh, kw, h, w = p.shape
    return p.reshape(n, c, kh * kw, h, w)


def _add(dchoices, x, kernel_size, stride, padding, dilation):
    n, c, _, h, w = dchoices.shape
    (kh, kw), *_ = settings(kernel_size, 1, 0, 1)
    dpatches = dchoices.reshape(n, c, kh, kw, h, w)
    return add_patches(dpatches, x.shape[2:], _stride(stride, kernel_size), padding, dilation)


def _counts(x, kernel_size, stride, padding, count_include_pad):
    """How many pixels each patch counts: (H', W'), or one number."""
    (kh, kw), *_ = settings(kernel_size, 1, padding, 1)
    if count_include_pad:
        return kh * kw
    inside = np.ones((1, 1, *x.shape[2:]), x.dtype)
    return patches(inside, kernel_size, _stride(stride, kernel_size), padding).sum((2, 3))[0, 0]


def _stride(stride, kernel_size):
    return kernel_size if stride is None else stride


def _check(x, kernel_size, padding, dilation=1):
    need_images(x)
    kernel, _, pads, dilations = settings(kernel_size, 1, padding, dilation)
    if any(2 * p > d * (k - 1) + 1 for k, p, d in zip(kernel, pads, dilations, strict=True)):
        raise LayerError(
            f"padding is {pads} and kernel_size {kernel}. Valid: padding of at most half the kernel, "
            "else a patch could hold nothing but padding. Pad x itself with np.pad where you need more."
        )


def _need_pixels(x):
    need_images(x)
    if not x.shape[2] * x.shape[3]:
        raise LayerError(f"x has shape {x.shape}. Valid: (N, C, H, W) with at least one pixel.")


def _need_norm(p):
    if not 0 < p < np.inf:
        raise LayerError(
            f"norm_type is {p!r}. Valid: a finite number above 0, such as 2. For the maximum use max_pool2d."
        )
