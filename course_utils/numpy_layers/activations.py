"""Activations: a function of each number alone, so the gradient is ``dy`` times its slope.

x: any shape, float → y of the same shape. Each ``…_backward(dy, x)`` gives dx. Lesson 05 draws them and counts the
units that die; lesson 07 sends gradients through them.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf, expit

from course_utils.errors import LayerError, choice
from course_utils.numpy_layers.windows import need_array, need_floats

_TANH_SCALE, _TANH_CUBIC = float(np.sqrt(2 / np.pi)), 0.044715


def relu(x):
    """``max(x, 0)``. Lesson 05; Nair and Hinton, 2010.

    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    need_floats(x)
    return np.maximum(x, 0)


def relu_backward(dy, x):
    """``dy`` where x is above 0, else 0; so the slope at 0 itself is 0.

    >>> relu_backward(np.ones(3), np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 1.])
    """
    return _times(dy, x, lambda: x > 0)


def leaky_relu(x, negative_slope=0.01):
    """``x`` where x is above 0, ``negative_slope * x`` elsewhere. Lesson 05; Maas et al., 2013.

    >>> leaky_relu(np.array([-2.0, 3.0]), 0.1)
    array([-0.2,  3. ])
    """
    need_floats(x)
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(dy, x, negative_slope=0.01):
    """``dy`` where x is above 0, else ``negative_slope * dy``.

    >>> leaky_relu_backward(np.ones(2), np.array([-2.0, 3.0]), 0.1)
    array([0.1, 1. ])
    """
    return _times(dy, x, lambda: np.where(x > 0, 1, negative_slope))


def elu(x, alpha=1.0):
    """``x`` where x is above 0, ``alpha * (exp(x) - 1)`` elsewhere. Clevert et al., 2015.

    >>> elu(np.array([-50.0, 3.0]))
    array([-1.,  3.])
    """
    need_floats(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_backward(dy, x, alpha=1.0):
    """``dy`` where x is above 0, else ``dy * alpha * exp(x)``.

    >>> elu_backward(np.ones(2), np.array([0.0, 3.0]), alpha=0.5)
    array([0.5, 1. ])
    """
    return _times(dy, x, lambda: np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0))))


def sigmoid(x):
    """``1 / (1 + exp(-x))``, safe from overflow. Lesson 05.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    need_floats(x)
    return _expit(x)


def sigmoid_backward(dy, x):
    """``dy * y * (1 - y)``: at most a quarter of ``dy``, which is why gradients vanish (lesson 07).

    >>> sigmoid_backward(np.ones(1), np.zeros(1))
    array([0.25])
    """
    return _times(dy, x, lambda: _expit(x) * _expit(-x))


def tanh(x):
    """The hyperbolic tangent, ``2 * sigmoid(2 * x) - 1``. LeCun et al., 1998.

    >>> tanh(np.array([0.0, 1000.0]))
    array([0., 1.])
    """
    need_floats(x)
    return np.tanh(x)


def tanh_backward(dy, x):
    """``dy * (1 - y ** 2)``.

    >>> tanh_backward(np.ones(1), np.zeros(1))
    array([1.])
    """
    return _times(dy, x, lambda: 1 - np.tanh(x) ** 2)


def silu(x):
    """``x * sigmoid(x)``, also called swish. Lesson 05; Ramachandran et al., 2017.

    >>> silu(np.array([0.0, 100.0]))
    array([  0., 100.])
    """
    need_floats(x)
    return x * _expit(x)


def silu_backward(dy, x):
    """``dy * s * (1 + x * (1 - s))`` with ``s = sigmoid(x)``.

    >>> silu_backward(np.ones(1), np.zeros(1))
    array([0.5])
    """
    return _times(dy, x, lambda: _expit(x) * (1 + x * _expit(-x)))


def gelu(x, approximate="none"):
    """``x`` times the normal distribution's share below x; ``"tanh"`` is the older approximation.

    Lesson 05; Hendrycks and Gimpel, 2016.

    >>> gelu(np.array([-100.0, 0.0, 100.0]))
    array([ -0.,   0., 100.])
    """
    need_floats(x)
    return x * _below(x, approximate)


def gelu_backward(dy, x, approximate="none"):
    """``dy`` times (the share below x, plus x times the share's slope).

    >>> gelu_backward(np.ones(1), np.zeros(1))
    array([0.5])
    """

    def slope():
        if approximate == "tanh":
            share = _below(x, approximate)
            inner = _TANH_SCALE * (1 + 3 * _TANH_CUBIC * x * x)
            return share + x * 2 * share * (1 - share) * inner
        return _below(x, approximate) + x * np.exp(-x * x / 2) / float(np.sqrt(2 * np.pi))

    return _times(dy, x, slope)


def _below(x, approximate):
    choice(approximate, ("none", "tanh"), "approximate", LayerError)
    if approximate == "tanh":
        return (1 + np.tanh(_TANH_SCALE * (x + _TANH_CUBIC * x * x * x))) / 2
    return (1 + erf(x / float(np.sqrt(2))).astype(x.dtype)) / 2


def _expit(x):
    return expit(x).astype(x.dtype)  # SciPy widens float16


def _times(dy, x, slope):
    """``dy`` times the slope at x, in the dtype of ``dy``, once the shapes are checked."""
    need_floats(x)
    need_array(dy, x.shape, "dy", "the shape of x")
    return dy * slope().astype(dy.dtype)
