"""The errors that the course raises on purpose.

Each message quotes the value that was wrong, lists what is valid and says what to do next.
"""


class CourseError(Exception):
    """Something the reader can put right; the command line shows the message without a traceback."""


class DataError(CourseError):
    """A dataset, a card or a picture could not be found, fetched, verified or read."""


class TrainingError(CourseError):
    """Training stopped: a non-finite loss, or a checkpoint that does not fit."""


class ExerciseError(CourseError):
    """An exercise that does not exist, or that is declared wrongly."""


class LayerError(CourseError, ValueError):
    """An array or a setting that a layer of numpy_layers cannot take."""


def choice(value, valid, what: str, error: type[CourseError] = CourseError):
    """Return ``value`` if it is one of ``valid``; else raise ``error`` that quotes it and lists the choices.

    >>> choice("fast", ("fast", "full"), "profile")
    'fast'
    """
    if value not in valid:
        raise error(f"unknown {what} {value!r}. Valid: {', '.join(map(str, valid))}.")
    return value
