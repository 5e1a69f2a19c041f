"""Follow the receptive field through a forward pass, from function call to function call (lesson 03).

A **receptive field** is the window of the input that one output value can depend on; the **jump** is how many input
pixels lie between the windows of two neighbouring values. A window of ``k`` values with stride ``s`` and dilation
``d`` makes them ``size + (k - 1) · d · jump`` and ``jump · s``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

__all__ = ["Field", "ReceptiveFields", "field_of"]

WHOLE = "whole"  # every value can depend on every pixel, or positions are gone
_MARK = "_course_field"
_CONVOLUTIONS = {f"conv{d}d" for d in (1, 2, 3)}
_TRANSPOSED = {f"conv_transpose{d}d" for d in (1, 2, 3)}
_POOLS = {f"{kind}_pool{d}d" for kind in ("max", "avg", "lp") for d in (1, 2, 3)}
_POOLS |= {f"max_pool{d}d_with_indices" for d in (1, 2, 3)}
_ADAPTIVE = {f"adaptive_{kind}_pool{d}d" for kind in ("max", "avg") for d in (1, 2, 3)}
_RESHAPES = {"view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"}
_MIXERS = {
    "matmul",
    "__matmul__",
    "bmm",
    "mm",
    "einsum",
    "baddbmm",
    "scaled_dot_product_attention",
    "lstm",
    "gru",
}
_MIXERS |= {"multi_head_attention_forward", "_native_multi_head_attention", "rnn_tanh", "rnn_relu"}


class Field(NamedTuple):
    """Receptive field and jump along each spatial axis; ``axes`` are where these stand, counted from the end."""

    size: tuple[float, ...]
    jump: tuple[float, ...]
    axes: tuple[int, ...]

    def windows(self, kernel, stride, dilation=1) -> Field:
        """The field after windows of ``kernel`` values, ``stride`` apart (numbers, or one for each axis)."""
        k, s, d = (_each(v, len(self.size)) for v in (kernel, stride, dilation))
        size = (n + (k - 1) * d * j for n, j, k, d in zip(self.size, self.jump, k, d, strict=True))
        return self._replace(size=tuple(size), jump=tuple(j * s for j, s in zip(self.jump, s, strict=True)))


class ReceptiveFields(TorchFunctionMode):
    """While active, mark every tensor that is computed from ``x`` with its :class:`Field`.

    ``x``: (N, C, \\*space). Branches that meet have the larger field. A value that can depend on the whole input (after
    global pooling, flattening, attention, a squeeze-and-excitation gate) has none, as have values of a function that is
    not known here and changes the size. Statistics of normalisation layers are left aside. Lessons 03 and 05.

    >>> import torch
    >>> x = torch.zeros(1, 1, 9, 9)
    >>> with ReceptiveFields(x):
    ...     y = torch.nn.Conv2d(1, 1, 3, stride=2)(torch.nn.Conv2d(1, 1, 3)(x))
    >>> field_of(y)
    (5, 2)
    """

    def __init__(self, x):
        super().__init__()
        d = x.ndim - 2
        if d > 0:
            setattr(x, _MARK, Field((1,) * d, (1,) * d, tuple(range(-d, 0))))

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        marked = [t for t in tree_leaves((args, kwargs)) if hasattr(t, _MARK)]
        if marked:
            name = getattr(func, "__name__", "")
            for tensor in tree_leaves(out):
                if hasattr(tensor, "untyped_storage"):
                    setattr(tensor, _MARK, _after(name, tensor, marked, args, kwargs))
        return out


def field_of(tensor) -> tuple:
    """Receptive field and jump of a tensor: numbers, tuples where the axes differ, ``(None, None)`` without one."""
    field = getattr(tensor, _MARK, WHOLE)
    return (None, None) if field is WHOLE else (_plain(field.size), _plain(field.jump))


def _after(name: str, out, marked: list, args: tuple, kwargs: dict):
    """The field of ``out``, a result of the function ``name`` on the ``marked`` tensors."""
    fields = [getattr(t, _MARK) for t in marked]
    if WHOLE in fields or len({f.axes for f in fields}) > 1 or name in _MIXERS:
        return WHOLE
    size, jump = (
        tuple(map(max, zip(*values, strict=True))) for values in zip(*(f[:2] for f in fields), strict=True)
    )
    field, x = Field(size, jump, fields[0].axes), max(marked, key=lambda t: t.numel())
    last = field.axes == tuple(range(-len(size), 0))

    def argument(key, place, default=None):
        return kwargs.get(key, args[place] if len(args) > place else default)

    if name in _CONVOLUTIONS | _TRANSPOSED | _POOLS | _ADAPTIVE and not last:
        return WHOLE
    if name in _CONVOLUTIONS:
        weight = argument("weight", 1)
        return field.windows(weight.shape[2:], argument("stride", 3, 1), argument("dilation", 5, 1))
    if name in _TRANSPOSED:
        return _transposed(field, argument("weight", 1), argument("stride", 3, 1), argument("dilation", 7, 1))
    if name in _POOLS:
        first = 2 if name.startswith("lp") else 1
        kernel = argument("kernel_size", first)
        dilation = argument("dilation", 4, 1) if name.startswith("max") else 1
        return field.windows(kernel, argument("stride", first + 1) or kernel, dilation)
    if name == "permute":
        order = args[1] if len(args) == 2 else args[1:] or kwargs["dims"]
        return _moved(field, [d % x.ndim for d in order])
    if name in ("transpose", "swapaxes"):
        order, (a, b) = list(range(x.ndim)), (argument("dim0", 1), argument("dim1", 2))
        order[a], order[b] = order[b], order[a]
        return _moved(field, order)
    if name in _RESHAPES:
        kept = last and out.ndim > len(size) and out.shape[-len(size) :] == x.shape[-len(size) :]
        return field if kept else WHOLE
    if out.ndim != x.ndim or (name == "linear" and -1 in field.axes):
        return WHOLE
    return _resized(name, field, x, out, argument)


def _resized(name: str, field: Field, x, out, argument):
    before, after = ([t.shape[a] for a in field.axes] for t in (x, out))
    if before == after or name == "pad":
        return field
    scale = tuple(n / m if m else 1 for n, m in zip(before, after, strict=True))
    mode = argument("mode", 3, "nearest") if name in ("interpolate", "upsample") else None
    if (name in _ADAPTIVE and max(after) > 1) or mode == "area":
        kernel = [
            max(-(-(i + 1) * n // m) - i * n // m for i in range(m))
            for n, m in zip(before, after, strict=True)
        ]
        return field.windows(kernel, scale)
    if mode is not None:
        reach = {"nearest": 1, "nearest-exact": 1, "bicubic": 4}.get(mode, 2)
        if argument("antialias", 6, False):  # the filter grows with the reduction
            reach = [math.ceil(reach * max(1, s)) for s in scale]
        return field.windows(reach, scale)
    if name in ("pixel_shuffle", "pixel_unshuffle"):
        return field.windows([max(1, s) for s in scale], scale)
    if name == "__getitem__":
        index = argument("", 1)
        index = index if isinstance(index, tuple) else (index,)
        at = next((k for k, i in enumerate(index) if i is Ellipsis), None)
        if at is not None:
            index = (*index[:at], *[slice(None)] * (x.ndim - len(index) + 1), *index[at + 1 :])
        if all(isinstance(i, slice) for i in index):
            steps = [i.step or 1 for i in index] + [1] * (x.ndim - len(index))
            return field.windows(1, [steps[a] for a in field.axes])
    return WHOLE


def _transposed(field: Field, weight, stride, dilation):
    """A value of the output gets something from every ``stride``-th number of its kernel."""
    d = len(field.size)
    spread = [(k - 1) * dil + 1 for k, dil in zip(weight.shape[2:], _each(dilation, d), strict=True)]
    stride = _each(stride, d)
    return field.windows(
        [math.ceil(k / s) for k, s in zip(spread, stride, strict=True)], [1 / s for s in stride]
    )


def _moved(field: Field, order: list[int]):
    """``order[i]`` is the old place of the axis that is now the i-th."""
    return field._replace(axes=tuple(order.index(a % len(order)) - len(order) for a in field.axes))


def _each(value, d: int) -> tuple:
    value = tuple(value) if hasattr(value, "__len__") else (value,)
    return value * d if len(value) == 1 else value


def _plain(values: tuple):
    numbers = [int(v) if float(v).is_integer() else round(float(v), 3) for v in values]
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)
