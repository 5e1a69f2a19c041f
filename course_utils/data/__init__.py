"""The course's datasets: cards, verified files, and ``load``, which turns them into tensors and names their source.

>>> sorted(cards())
['att_faces', 'bccd', 'camvid', 'digits', 'elpv', 'fashion_mnist', 'isbi_em', 'photographs', 'white_cells']
"""

from __future__ import annotations

import inspect
from importlib import import_module

from course_utils import runtime
from course_utils.data.cards import Card, card, cards
from course_utils.data.fetch import fetch, locate, verify
from course_utils.errors import DataError, choice

__all__ = [
    "Card",
    "DataSet",
    "card",
    "cards",
    "fetch",
    "forget_sources",
    "image_folder",
    "load",
    "read_image",
    "sources_used",
    "verify",
]

SOURCES = ("real", "embedded", "auto")

_used: dict[str, str] = {}
_failed: dict[str, str] = {}  # datasets that "auto" could not have in this run: it does not try again


def load(name: str, split: str = "all", source: str | None = None, **options):
    """Load a dataset and remember its source for ``record``.

    ``split`` is one of the card's splits or ``"all"``. ``source`` is ``"real"`` (fail if it cannot be had),
    ``"embedded"`` (never touch the network) or ``"auto"`` (real if possible, else embedded with a line that says so);
    ``None`` follows the run's ``DATA_SOURCE``. ``options`` go to the dataset's builder: ``size`` for digits, elpv and att_faces.

    Returns a :class:`DataSet` (``images`` (N, C, H, W) uint8, ``targets`` (N,) int64, ``classes``, ``extra``); for
    ``photographs`` a mapping from names to arrays, for ``bccd`` a :class:`~course_utils.data.detection.DetectionSet`,
    for ``white_cells`` a :class:`~course_utils.data.smears.SmearSet`, for ``camvid`` and ``isbi_em`` a :class:`~course_utils.data.segmentation.MaskSet`. Each has ``source``, ``split`` and ``card``.
    Raises :class:`DataError` for an unknown name, split, source or option, and if the data cannot be had.

    >>> data = load("digits", "test", size=28)
    >>> data.images.shape, data.source
    (torch.Size([450, 1, 28, 28]), 'package')
    """
    entry = card(name)
    splits = tuple(dict.fromkeys([*entry.splits, "all"]))
    choice(split, splits, f"split of {name}", DataError)
    source = choice(
        runtime.current().data_source if source is None else source, SOURCES, "data source", DataError
    )
    from course_utils.data import builders  # imports torch

    builder = builders.BUILDERS[name]
    _check_options(name, builder, options)
    folder, origin = _origin(entry, source)
    if folder is None:
        built = builders.STAND_INS[name](entry, split, **options)
    else:
        built = builder(folder, entry, split, **options)
    built.name, built.split, built.source, built.card = name, split, origin, entry
    remember(name, origin)
    return built


def remember(name: str, source: str) -> None:
    """Note that data was used, for ``record``; ``load`` and ``image_folder`` call it."""
    _used[name] = source


def sources_used() -> dict[str, str]:
    """The datasets loaded since the run started, each with its source."""
    return dict(_used)


def forget_sources() -> None:
    """Forget what was loaded and what failed to load; ``runtime.start`` calls it."""
    _used.clear()
    _failed.clear()


def _origin(entry: Card, source: str):
    """The folder of the verified files, or ``None`` for the stand-in, and the words that name the source."""
    if entry.package:
        return locate(entry)
    if source == "embedded" or (source == "auto" and entry.name in _failed):
        return None, entry.embedded
    try:
        return locate(entry)
    except DataError as error:
        if source == "real":
            raise
        _failed[entry.name] = str(error)
        reason = str(error).splitlines()[0]
        print(
            f"ATTENTION: not the real {entry.pretty_name} but a {entry.embedded}. {reason} (DATA_SOURCE=real tells more.)"
        )
        return None, entry.embedded


def _check_options(name: str, builder, options: dict) -> None:
    valid = list(inspect.signature(builder).parameters)[3:]
    for option, value in options.items():
        if option not in valid:
            raise DataError(f"unknown option {option!r} of {name}. Valid: {', '.join(valid) or 'none'}.")
        if option == "size" and not (isinstance(value, int) and 4 <= value <= 1024):
            raise DataError(
                f"size={value!r} of {name} is not valid. Valid: a whole number of pixels from 4 to 1024."
            )


_HOMES = {"DataSet": "builders", "image_folder": "folders", "read_image": "folders"}  # these import torch


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
