"""The history of a training run: one row of numbers an epoch, which plots itself."""

from __future__ import annotations

import math

from course_utils.errors import TrainingError

ERRORS = (
    "loss", "error", "error_rate", "cross_entropy", "bce", "mae", "mse", "rmse", "mape", "nll", "brier", "ece", "eer", "perplexity",
    "hausdorff_distance",
)  # fmt: skip


class History:
    """The rows of a training run, one dict an epoch.

    Keys: ``epoch`` and ``step`` (both from 1), ``loss`` and the metrics' names (means over the epoch's images),
    the same with ``valid_`` in front, ``lr`` (the largest of the groups) and ``seconds``.

    >>> history = History([{"epoch": 1, "valid_loss": 0.7}, {"epoch": 2, "valid_loss": 0.5}])
    >>> history["valid_loss"], history.best("valid_loss")["epoch"]
    ([0.7, 0.5], 2)
    """

    def __init__(self, rows: list[dict] | None = None):
        self.rows = list(rows or [])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list:
        """One column, an entry an epoch. Raises ``KeyError`` that lists the columns for a name that is none."""
        if not any(name in row for row in self.rows):
            raise KeyError(f"the history has no {name!r}. It has: {', '.join(self.columns) or 'no rows'}.")
        return [row.get(name) for row in self.rows]

    def __repr__(self) -> str:
        return "\n".join(summary(row) for row in self.rows) or "History([])"

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def best(self, monitor: str = "valid_loss") -> dict:
        """The row with the best ``monitor``: see :func:`lower_is_better`."""
        self[monitor]
        rows = [row for row in self.rows if row.get(monitor) is not None and not math.isnan(row[monitor])]
        if not rows:
            raise TrainingError(
                f"{monitor!r} was not a number in any epoch. Is a class missing from the validation data?"
            )
        return (min if lower_is_better(monitor) else max)(rows, key=lambda row: row[monitor])

    def plot(self, name: str = "loss"):
        """Draw ``name`` and ``valid_<name>`` against the epoch; return the ``Axes``."""
        from course_utils import plots

        labels = {name: "training", f"valid_{name}": "validation"}
        epochs = self["epoch"]
        curves = {label: (epochs, self[key]) for key, label in labels.items() if key in self.columns}
        if not curves:
            self[name]
        return plots.curves(curves, xlabel="epoch", ylabel=name.replace("_", " "))


def lower_is_better(name: str) -> bool:
    """Whether a smaller value of the metric is the better one: true of a name that ends in one of ``ERRORS``.

    >>> [lower_is_better(name) for name in ("valid_loss", "valid_error_rate", "valid_accuracy")]
    [True, True, False]
    """
    return name.lower().endswith(ERRORS)


def summary(row: dict, epochs: int | None = None) -> str:
    """One line for a row: the epoch and what was measured, without the time, so that a rerun shows the same.

    >>> summary({"epoch": 2, "step": 40, "loss": 0.51234, "lr": 0.1, "seconds": 3.2}, epochs=5)
    'epoch 2/5 · loss 0.5123'
    """
    head = f"epoch {row['epoch']}" + (f"/{epochs}" if epochs else "")
    numbers = [f"{k} {v:.4g}" for k, v in row.items() if k not in ("epoch", "step", "lr", "seconds")]
    return " · ".join([head, *numbers])
