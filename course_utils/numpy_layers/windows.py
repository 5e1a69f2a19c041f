"""Patches: the view on which convolution and pooling stand, its transpose, and the checks that they share."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from course_utils.errors import LayerError


def patches(x, kernel_size, stride=1, padding=0, dilation=1, fill=0.0):
    """Show every patch that a kernel covers: the pixels under it, for each of its places.

    x: (N, C, H, W) → (N, C, kh, kw, H', W'), a view of x padded with ``fill``; entry ``[n, c, a, b, i, j]`` is the
    pixel under row a and column b of the kernel at its place (i, j). Each setting is an int or a pair (rows, columns).
    Raises :class:`LayerError` where the kernel does not fit. Lesson 01; lesson 03 for stride, padding and dilation.

    >>> patches(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0, 0, :, :, 0, 1]
    array([[1., 2.],
           [4., 5.]])
    """
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = settings(kernel_size, stride, padding, dilation)
    spans = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    if spans[0] > x.shape[2] + 2 * ph or spans[1] > x.shape[3] + 2 * pw:
        raise LayerError(
            f"x has shape {x.shape}, with padding {(ph, pw)}, and the kernel spans {spans} pixels: it does not fit. "
            "Use a larger input, more padding, or a smaller kernel_size or dilation."
        )
    if ph or pw:
        x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    windows = sliding_window_view(x, spans, axis=(2, 3))[:, :, ::sh, ::sw, ::dh, ::dw]
    return windows.transpose(0, 1, 4, 5, 2, 3)


def add_patches(p, size, stride=1, padding=0, dilation=1):
    """Add every patch back at its place: the transpose of :func:`patches`, where overlaps add up.

    p: (N, C, kh, kw, H', W') → (N, C, H, W) with ``size = (H, W)``. Lessons 03 and 07.

    >>> add_patches(np.ones((1, 1, 2, 2, 2, 2)), (3, 3))[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    n, c, kh, kw, h, w = p.shape
    (sh, sw), (ph, pw), (dh, dw) = settings((kh, kw), stride, padding, dilation)[1:]
    x = np.zeros((n, c, size[0] + 2 * ph, size[1] + 2 * pw), p.dtype)
    for a in range(kh):
        for b in range(kw):
            rows = slice(a * dh, a * dh + sh * (h - 1) + 1, sh)
            columns = slice(b * dw, b * dw + sw * (w - 1) + 1, sw)
            x[:, :, rows, columns] += p[:, :, a, b]
    return x[:, :, ph : ph + size[0], pw : pw + size[1]]


def settings(kernel_size, stride, padding, dilation):
    """The four settings as pairs (rows, columns), checked."""
    return (
        pair(kernel_size, "kernel_size", 1),
        pair(stride, "stride", 1),
        pair(padding, "padding", 0),
        pair(dilation, "dilation", 1),
    )


def pair(value, name: str, least: int) -> tuple[int, int]:
    """Return ``(value, value)`` for an int and the pair itself for a pair.

    >>> pair(2, "stride", 1), pair((2, 1), "stride", 1)
    ((2, 2), (2, 1))
    """
    both = (value, value) if isinstance(value, Integral) else value
    if not (
        isinstance(both, tuple | list)
        and len(both) == 2
        and all(isinstance(v, Integral) and v >= least for v in both)
    ):
        raise LayerError(
            f"{name} is {value!r}. Valid: a whole number from {least}, or a pair (rows, columns)."
        )
    return int(both[0]), int(both[1])


def need_images(x, name: str = "x") -> None:
    """Raise :class:`LayerError` unless ``x`` is a float array (N, C, H, W)."""
    need_floats(x, name)
    if x.ndim != 4:
        raise LayerError(
            f"{name} has shape {x.shape}. Valid: (N, C, H, W), images first, then channels. "
            "Add the missing axis with x[None], or move the channels with x.transpose(0, 3, 1, 2)."
        )


def need_floats(x, name: str = "x") -> None:
    """Raise :class:`LayerError` unless ``x`` is a NumPy array of floats."""
    if not isinstance(x, np.ndarray | np.floating) or not np.issubdtype(x.dtype, np.floating):
        what = f"dtype {x.dtype}" if isinstance(x, np.ndarray | np.generic) else f"type {type(x).__name__}"
        raise LayerError(f"{name} has {what}. Valid: a NumPy array of floats. Use np.asarray(…, np.float32).")


def need_array(array, shape: tuple, name: str, why: str) -> None:
    """Raise :class:`LayerError` unless ``array`` is a NumPy array of floats that has ``shape``."""
    need_floats(array, name)
    need_shape(array, shape, name, why)


def need_shape(array, shape: tuple, name: str, why: str) -> None:
    """Raise :class:`LayerError` unless ``array`` has ``shape``; ``why`` says where that shape comes from."""
    if np.shape(array) != tuple(shape):
        raise LayerError(f"{name} has shape {np.shape(array)}. Valid: {tuple(shape)}, {why}.")
