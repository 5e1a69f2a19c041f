"""The end of a network: the linear layer, and softmax cross-entropy."""

from __future__ import annotations

import numpy as np

from course_utils.errors import LayerError
from course_utils.numpy_layers.windows import need_array, need_floats, need_shape


def linear(x, weight, bias=None):
    """``x @ weight.T + bias``.

    x: (N, F) · weight: (O, F) · bias: (O,) or None → (N, O). Raises :class:`LayerError` for shapes that do not fit.
    Lesson 05.

    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    _check(x, weight, bias)
    y = x @ weight.T
    return y if bias is None else y + bias


def linear_backward(dy, x, weight, bias=None):
    """Pull ``dy`` back: ``dx = dy @ weight``, ``dweight = dy.T @ x``, ``dbias`` the sum over the batch.

    dy: (N, O) → dx, dweight, dbias; dbias is None without bias. Lesson 07.

    >>> linear_backward(np.array([[2.0]]), np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))[:2]
    (array([[6., 8.]]), array([[2., 4.]]))
    """
    _check(x, weight, bias)
    need_array(dy, (len(x), len(weight)), "dy", "the shape of y")
    return dy @ weight, dy.T @ x, None if bias is None else dy.sum(0)


def softmax(logits):
    """Turn each row of numbers into positive ones that sum to 1: ``exp(z) / sum of exp(z)``.

    logits: (N, K) → (N, K). The largest logit is taken off first, so that nothing overflows. Lessons 05 and 06.

    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    return np.exp(_log_softmax(logits))


def softmax_backward(dy, logits):
    """Pull ``dy`` back through softmax: each row's ``y * (dy - sum of dy * y)``.

    dy: (N, K) → dlogits: (N, K), each row summing to 0. Lesson 07.

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.zeros((1, 2)))
    array([[ 0.25, -0.25]])
    """
    y = softmax(logits)
    need_array(dy, y.shape, "dy", "the shape of logits")
    return y * (dy - (dy * y).sum(1, keepdims=True))


def softmax_cross_entropy(logits, targets):
    """The mean over the batch of ``-log softmax(logits)[target]``.

    logits: (N, K) · targets: (N,) int, from 0 to K - 1 → one number (nan for an empty batch).
    Raises :class:`LayerError` for shapes that do not fit and for a target that is no class. Lesson 06.

    >>> softmax_cross_entropy(np.zeros((1, 2)), np.array([0])).round(4)
    np.float64(0.6931)
    """
    _check_targets(logits, targets)
    if not len(logits):
        return logits.dtype.type("nan")
    return -_log_softmax(logits)[np.arange(len(targets)), targets].mean()


def softmax_cross_entropy_backward(dy, logits, targets):
    """``dy`` times (softmax minus one-hot) / N, with ``dy`` one number, 1 at the end of a network. Lesson 07.

    dy: a number → dlogits: (N, K), each row summing to 0.

    >>> softmax_cross_entropy_backward(1.0, np.zeros((1, 2)), np.array([0]))
    array([[-0.5,  0.5]])
    """
    _check_targets(logits, targets)
    need_shape(dy, (), "dy", "one number: the loss is one")
    dlogits = softmax(logits)
    dlogits[np.arange(len(targets)), targets] -= 1
    return dlogits * logits.dtype.type(dy / max(len(logits), 1))


def _log_softmax(logits):
    _need_rows(logits)
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def _check(x, weight, bias):
    need_floats(x)
    need_floats(weight, "weight")
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise LayerError(
            f"x has shape {x.shape} and weight {weight.shape}. Valid: (N, F) and (O, F). "
            "Flatten images with x.reshape(len(x), F); PyTorch's order of weight is (outputs, inputs)."
        )
    if bias is not None:
        need_array(bias, (len(weight),), "bias", "one number for each output")


def _need_rows(logits):
    need_floats(logits, "logits")
    if logits.ndim != 2 or not logits.shape[1]:
        raise LayerError(f"logits has shape {logits.shape}. Valid: (N, K), a row of scores for each image.")


def _check_targets(logits, targets):
    _need_rows(logits)
    need_shape(targets, logits.shape[:1], "targets", f"one class for each row of logits, {logits.shape}")
    targets = np.asarray(targets)
    if not np.issubdtype(targets.dtype, np.integer) or (
        targets.size and not 0 <= targets.min() <= targets.max() < logits.shape[1]
    ):
        wrong = (
            targets.dtype if not np.issubdtype(targets.dtype, np.integer) else (targets.min(), targets.max())
        )
        raise LayerError(
            f"targets has {wrong}. Valid: whole numbers from 0 to {logits.shape[1] - 1}, one class each."
        )
