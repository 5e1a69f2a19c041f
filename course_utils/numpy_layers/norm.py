"""Batch normalisation, in training and in evaluation."""

from __future__ import annotations

import numpy as np

from course_utils.errors import LayerError
from course_utils.numpy_layers.windows import need_array, need_images

_IMAGES = (0, 2, 3)  # the axes over which a channel's mean and variance are taken


def batch_norm2d(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Give each channel mean ``bias`` and standard deviation ``weight``.

    x: (N, C, H, W); running_mean, running_var, weight, bias: (C,) → y: (N, C, H, W), running_mean, running_var. In
    training the batch's own mean and variance are taken out, and the running ones, returned anew, move towards them
    by ``momentum``; in evaluation the running ones are taken out and stay. Without ``weight`` and ``bias``: 1 and 0.
    Raises :class:`LayerError` for shapes that do not fit and for one value per channel in training.
    Lesson 07; Ioffe and Szegedy, 2015.

    >>> y, mean, var = batch_norm2d(np.array([[[[1.0, 3.0]]]]), np.zeros(1), np.ones(1), training=True)
    >>> y.round(2), mean, var
    (array([[[[-1.,  1.]]]]), array([0.2]), array([1.1]))
    """
    mean, var = _statistics(x, running_mean, running_var, weight, bias, training)
    if training and x.size:
        m = x.size // x.shape[1]
        unbiased = var * (m / (m - 1))
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * unbiased
    y = _normalised(x, mean, var, eps)
    y = y if weight is None else y * _channels(weight)
    return y if bias is None else y + _channels(bias), running_mean, running_var


def batch_norm2d_backward(
    dy, x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Pull ``dy`` back through batch_norm2d. In training each pixel moves the batch's mean and variance too.

    dy: (N, C, H, W) → dx, dweight, dbias; the last two are None where their array is. Lesson 07.

    >>> x = np.array([[[[1.0, 3.0]]]])
    >>> batch_norm2d_backward(np.ones_like(x), x, np.zeros(1), np.ones(1), training=True)[0]
    array([[[[0., 0.]]]])
    """
    mean, var = _statistics(x, running_mean, running_var, weight, bias, training)
    need_array(dy, x.shape, "dy", "the shape of y")
    normal = _normalised(x, mean, var, eps)
    dweight = None if weight is None else (dy * normal).sum(_IMAGES)
    dbias = None if bias is None else dy.sum(_IMAGES)
    dx = dy if weight is None else dy * _channels(weight)
    if training and x.size:
        dx = dx - dx.mean(_IMAGES, keepdims=True) - normal * (dx * normal).mean(_IMAGES, keepdims=True)
    return dx / np.sqrt(_channels(var) + eps), dweight, dbias


def _statistics(x, running_mean, running_var, weight, bias, training):
    """Check the shapes; the mean and variance to take out, each (C,)."""
    need_images(x)
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, array in given.items():
        if array is not None or name.startswith("running"):
            need_array(array, (x.shape[1],), name, f"one number for each channel of x, {x.shape}")
    if not training or not x.size:
        return running_mean, running_var
    if x.size == x.shape[1]:
        raise LayerError(
            f"x has shape {x.shape}: one value per channel has no variance. "
            "Valid in training: two or more. Use a larger batch, or training=False."
        )
    return x.mean(_IMAGES), x.var(_IMAGES)


def _normalised(x, mean, var, eps):
    return (x - _channels(mean)) / np.sqrt(_channels(var) + eps)


def _channels(v):
    return v[:, None, None]
