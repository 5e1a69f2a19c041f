"""Helpers that the course's lessons share. Importing this package imports neither torch nor matplotlib.

>>> import course_utils
>>> course_utils.__version__
'0.1.0'
"""

import os
from importlib import import_module

# albumentations asks the network for news at import; a lesson must run without a network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"

_HOMES = {
    "Trainer": "trainer",
    "backbone": "models",
    "check": "exercises",
    "hint": "exercises",
    "load": "data",
    "record": "runtime",
    "solution": "exercises",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"course_utils.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'course_utils' has no attribute {name!r}. It has: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return sorted(__all__)
