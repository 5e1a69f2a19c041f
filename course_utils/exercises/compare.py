"""Compare two results the way a teacher does: by what they say, whatever type of number or container says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

KINDS = {
    "none": "None",
    "bool": "True or False",
    "number": "a number",
    "text": "a text",
    "array": "an array or tensor",
    "sequence": "a list or tuple",
    "mapping": "a dict",
    "set": "a set",
}


def difference(expected, got, tolerance: float | None = None, limit: int = 12) -> str | None:
    """Say in one or two sentences how ``got`` differs from ``expected``; ``None`` when they agree.

    Arrays and tensors compare by shape and values, whatever their dtype and device; a 0-d array is a number; lists,
    tuples and ``torch.Size`` are alike, and as good as an array where their rows are of equal length; text ignores
    case and spaces around it. Whole numbers must be exact, others agree to a relative ``tolerance`` (1e-4 if
    ``None``) of the value or a tenth of that of the largest value. Arrays of at most ``limit`` numbers are shown
    whole.

    >>> difference((3, 3), [3, 3]) is None
    True
    >>> difference(np.zeros((3, 3)), np.zeros((3, 4)))
    'The shape is wrong: expected `(3, 3)`, yours is `(3, 4)`.'
    """
    expected, got = plain(expected), plain(got)
    kind, other = _kind(expected), _kind(got)
    if kind == "sequence" and other == "array":
        got, other = list(got), "sequence"
    if kind == "array" and other == "sequence" and (array := _as_array(got)) is not None:
        got, other = array, "array"
    if kind == "other":
        return None if _equal(expected, got) else f"Expected {shown(expected)}, yours is {shown(got)}."
    if kind != other:
        return _wrong_kind(kind, other, got)
    return _COMPARE[kind](expected, got, tolerance, limit)


def wrong_entries(expected, got, tolerance: float | None = None) -> str:
    """Say which entries of a list or tuple are wrong, without the right ones; of anything else that it is wrong.

    Of True and False it says how many: which ones would be the answer.

    >>> wrong_entries([3, 5, 8], [3, 4, 8])
    'Entry `1`, counted from 0, is not right; the others are.'
    """
    expected, got = plain(expected), plain(got)
    if _kind(expected) != "sequence":
        return "That is not it."
    pairs = enumerate(zip(expected, got, strict=True))
    wrong = [i for i, (want, have) in pairs if difference(want, have, tolerance)]
    if len(wrong) == len(expected):
        return "None of the entries is right yet."
    if all(_kind(want) == "bool" for want in expected):
        return f"{len(wrong)} of the {len(expected)} entries {'is' if len(wrong) == 1 else 'are'} not right."
    names = ", ".join(shown(i) for i in wrong)
    some = (
        f"Entry {names}, counted from 0, is" if len(wrong) == 1 else f"Entries {names}, counted from 0, are"
    )
    return f"{some} not right; the other{'s are' if len(expected) - len(wrong) > 1 else ' is'}."


def plain(value) -> Any:
    """Turn tensors into arrays, and what holds one number or text into a Python number or text."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        value = value.to_dense() if getattr(value, "is_sparse", False) else value
        value = value.double() if "bfloat16" in str(value.dtype) else value.resolve_conj().resolve_neg()
        value = value.numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufc":
        return value.tolist()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, (Fraction, Decimal, np.longdouble)):
        return float(value)
    return value


def with_dtype(value) -> tuple[Any, str]:
    """An answer and the name of its type, for exercises whose result must have a certain one: an ``observe``.

    >>> with_dtype(np.uint8([3]))[1], with_dtype([3])[1]
    ('uint8', 'list')
    """
    return value, str(getattr(value, "dtype", type(value).__name__))


def shown(value, limit: int = 12, width: int = 160) -> str:
    """A short text for a value, in code quotes; a large array is named by its shape.

    >>> print(shown(np.eye(2)), shown(np.zeros((6, 6))))
    `[[1.0, 0.0], [0.0, 1.0]]` `array 6×6`
    """
    try:
        text = _text(plain(value), limit)
    except Exception as error:  # an answer's own __repr__ may be broken
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    text = " ".join(text.split()).replace("`", "'")
    return f"`{text if len(text) <= width else text[: width - 2] + ' …'}`"


def _text(value, limit: int) -> str:
    if isinstance(value, np.ndarray):
        if value.size > limit:
            return "array " + "×".join(map(str, value.shape))
        return _text(value.tolist(), limit)
    if isinstance(value, float):
        return f"{value:.1f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.6g}"
    if isinstance(value, str):
        return repr(value if len(value) < 200 else value[:200])
    if isinstance(value, (list, tuple)):
        inner = [_text(plain(v), limit) for v in value[: max(limit, 12)]]
        inner += ["…"] if len(value) > len(inner) else []
        if isinstance(value, list):
            return "[" + ", ".join(inner) + "]"
        return "(" + ", ".join(inner) + ("," if len(inner) == 1 else "") + ")"
    if isinstance(value, dict):
        inner = [f"{_text(k, limit)}: {_text(plain(v), limit)}" for k, v in list(value.items())[:12]]
        return "{" + ", ".join(inner) + (", …" if len(value) > 12 else "") + "}"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    if type(value).__repr__ is object.__repr__:
        return f"a {type(value).__name__}"
    return repr(value)


def _kind(value) -> str:
    if value is None:
        return "none"
    for kind, types in {
        "bool": bool,
        "number": (int, float, complex),
        "text": str,
        "array": np.ndarray,
        "mapping": Mapping,
        "set": Set,
        "sequence": Sequence,
    }.items():
        if isinstance(value, types) and not isinstance(value, (bytes, range)):
            return kind
    return "sequence" if isinstance(value, range) else "other"


def _wrong_kind(kind: str, other: str, got) -> str:
    if other == "none":
        return f"The result is None where {KINDS[kind]} is expected. Is there a `return`?"
    if got is Ellipsis:
        return "There is still a `...` to replace."
    if kind == "number" and other == "array":
        return f"A single number is expected; yours is an array of shape `{got.shape}`."
    if kind == "number" and other == "text":
        return f"A number is expected; yours is the text {shown(got)}. Leave the quotes out."
    name = type(got).__name__
    return f"The type is wrong: {KINDS[kind]} is expected; yours is {shown(got, width=60)}, of type {name}."


def _as_array(sequence) -> np.ndarray | None:
    """A list of numbers, or of rows of equal length, as an array; else ``None``."""
    entries = [plain(entry) for entry in sequence]
    entries = [_as_array(entry) if _kind(entry) == "sequence" else entry for entry in entries]
    if any(_kind(entry) not in ("number", "bool", "array") for entry in entries):
        return None
    try:
        return np.array(entries)
    except ValueError:  # rows of different lengths
        return None


def _number(expected, got, tolerance, limit):
    if np.isfinite(expected) and not np.isfinite(got):
        return f"Your result is {_text(got, 1)}, not a finite number. {_CAUSE}"
    if _close(np.asarray(expected), np.asarray(got), tolerance).all():
        return None
    if isinstance(expected, float) and isinstance(got, (int, float)) and _text(expected, 1) == _text(got, 1):
        return f"Expected `{expected!r}`, yours is `{got!r}`."
    return f"Expected {shown(expected)}, yours is {shown(got)}."


_CAUSE = "Usual causes: a division by zero, a logarithm of zero, `exp` of a large number."


def _array(expected, got, tolerance, limit):
    if expected.shape != got.shape:
        return f"The shape is wrong: expected `{expected.shape}`, yours is `{got.shape}`."
    bad = ~np.isfinite(got) & np.isfinite(expected)
    if bad.any():
        kind = "NaN" if np.isnan(got[bad]).any() else "inf"
        return f"{bad.sum()} of {bad.size} values are {kind}. {_CAUSE}"
    wrong = ~_close(expected, got, tolerance)
    if not wrong.any():
        return None
    if expected.size <= limit:
        return f"Expected {shown(expected, limit)}, yours is {shown(got, limit)}."
    gap = np.where(wrong, np.nan_to_num(np.abs(np.subtract(expected, got, dtype=complex)), nan=np.inf), -1)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(gap), gap.shape))
    return (
        f"{wrong.sum()} of {wrong.size} values differ; the largest difference is at `{list(at)}`: "
        f"expected {shown(expected[at])}, yours is {shown(got[at])}."
    )


def _close(expected: np.ndarray, got: np.ndarray, tolerance: float | None) -> np.ndarray:
    whole = expected.dtype.kind in "biu"
    if tolerance is None and whole and got.dtype.kind in "biu":
        return expected == got
    relative = tolerance if tolerance is not None else 1e-6 if whole else 1e-4
    expected, got = expected.astype(complex), got.astype(complex)
    with np.errstate(all="ignore"):
        size = np.where(np.isfinite(expected), np.abs(expected), 0)
        near = np.abs(got - expected) <= relative * (size + 0.1 * size.max(initial=0)) + (
            1e-7 if relative else 0
        )
    return near | (got == expected) | (np.isnan(got) & np.isnan(expected))


def _plain_equal(expected, got, tolerance, limit):
    return None if expected == got else f"Expected {shown(expected)}, yours is {shown(got)}."


def _words(expected, got, tolerance, limit):
    return _plain_equal(expected, got, None, 0) if _folded(expected) != _folded(got) else None


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _items(expected, got, tolerance, limit):
    if len(expected) != len(got):
        return f"Expected {len(expected)} entries, yours has {len(got)}: {shown(got)}."
    numbers = all(_kind(plain(v)) == "number" for v in [*expected, *got])
    for i, (want, have) in enumerate(zip(expected, got, strict=True)):
        if found := difference(want, have, tolerance, limit):
            short = numbers and len(expected) <= limit
            return f"Expected {shown(expected)}, yours is {shown(got)}." if short else f"Entry {i}: {found}"
    return None


def _entries(expected, got, tolerance, limit):
    if set(expected) != set(got):
        return f"Expected the keys {shown(sorted(map(str, expected)))}, yours are {shown(sorted(map(str, got)))}."
    for key, want in expected.items():
        if found := difference(want, got[key], tolerance, limit):
            return f"Entry {shown(key)}: {found}"
    return None


def _equal(a, b) -> bool:
    try:
        return a is b or bool(a == b)
    except Exception:  # an answer's own __eq__ may be broken
        return False


_COMPARE = {
    "none": _plain_equal,
    "bool": _plain_equal,
    "number": _number,
    "text": _words,
    "array": _array,
    "sequence": _items,
    "mapping": _entries,
    "set": _plain_equal,
}
