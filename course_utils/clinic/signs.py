"""The vital signs of a training run, what each disease does to them, and when a run has recovered."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.clinic.chart import Chart
from course_utils.clinic.ward import Pictures
from course_utils.errors import CourseError

SIGNS = {
    "first_loss": "loss of the first batch, before any step, over log C",
    "last_loss": "training loss in the last epoch (nats)",
    "train_accuracy": "accuracy on the training batches of the last epoch, as the net saw them",
    "valid_accuracy": "accuracy that the script reports",
    "in_use": "accuracy on new pictures that come sorted by class",
    "worst_class": "accuracy in use for the worst class",
    "known_accuracy": "accuracy in use on the pictures that the script was given",
    "altered": "share of training inputs that are none of the given pictures, whatever their light",
    "company": "share of answers that change when a picture is put into a batch with other pictures",
    "first_update": "largest relative change of a layer's weights in a step of the first epoch",
    "still_layers": "layers that get gradients and do not move, in the last epoch",
    "dead": "share of ReLU channels that are 0 for the whole first batch",
    "cosine": "median cosine of one gradient with the next",
    "input_shift": "how far validation inputs are from training inputs, in standard deviations",
    "twins": "share of validation pictures with a near copy among the training pictures",
    "class_ratio": "training pictures of the rarest class over those of the most frequent",
    "careless": "1 if the model validates in training mode",
}

# disease → sign → (low, high): how the chart of that disease differs from all others
RULES: dict[str, dict[str, tuple[float, float]]] = {
    "learning rate too low": {"first_update": (1e-9, 5e-4)},
    "learning rate too high": {"first_loss": (0, 2), "first_update": (0.4, math.inf), "cosine": (-1, 0.9)},
    "labels shuffled": {"input_shift": (0, 0.2), "known_accuracy": (0, 0.35), "first_update": (1e-3, 0.4), "cosine": (-1, 0.9), "still_layers": (0, 0)},
    "softmax before cross-entropy": {"last_loss": (1.4, math.inf), "train_accuracy": (0.85, 1)},
    "train mode at evaluation": {"company": (0.1, 1), "careless": (1, 1)},
    "frozen by mistake": {"still_layers": (1, 99)},
    "augmentation destroys the label": {"altered": (0.3, 1), "known_accuracy": (0, 0.9)},
    "leakage": {"twins": (0.5, 1)},
    "normalisation mismatch": {"input_shift": (0.5, math.inf)},
    "dead ReLUs": {"dead": (0.6, 1)},
    "exploding gradients": {"first_loss": (10, math.inf)},
    "class imbalance ignored": {"class_ratio": (0, 0.3), "worst_class": (0, 0.5)},
    "zero_grad forgotten": {"first_loss": (0, 2), "cosine": (0.9, 1)},
}  # fmt: skip


@torch.no_grad()
def signs(chart: Chart, data: Pictures, exam: Pictures) -> dict[str, float]:
    """The vital signs of a closed chart; :data:`SIGNS` says what each of them is.

    ``data`` is what the script was given, ``exam`` are pictures that it never saw. What is not finite counts as infinite.
    Raises :class:`CourseError` for a chart that lacks training steps or a validation.
    """
    _complete(chart)
    alone = exam.take(exam.targets.argsort(stable=True))
    mixed = torch.randperm(len(exam), generator=torch.Generator().manual_seed(0))
    answers, others = _answers(chart, alone), _answers(chart, alone.take(mixed))
    last = max(1, len(chart.losses) // len(chart.valid_losses))
    hits = (answers == alone.targets).float()
    gradients, updates = np.array(chart.gradients[-last:]), np.array(chart.updates)
    counts = torch.bincount(chart.trained_on(), minlength=len(data.classes)).float()
    found = {
        "first_loss": chart.losses[0] / math.log(len(data.classes)),
        "last_loss": float(np.mean(chart.losses[-last:])),
        "train_accuracy": float(np.mean(chart.train_hits[-last:])),
        "valid_accuracy": chart.valid_accuracies[-1],
        "in_use": float(hits.mean()),
        "worst_class": min(float(hits[alone.targets == k].mean()) for k in alone.targets.unique()),
        "known_accuracy": float((_answers(chart, data) == data.targets).float().mean()),
        "altered": 1 - twins(data.images.float(), chart.pictures()[0]),
        "company": float((answers[mixed] != others).float().mean()),
        "first_update": float(updates[:last].max()),
        "still_layers": int(((updates[-last:].max(0) == 0) & (gradients.min(0) > 0)).sum()),
        "dead": chart.dead[0],
        "cosine": float(np.median([c for c in chart.cosines if math.isfinite(c)] or [0.0])),
        "input_shift": _shift(*chart.inputs["training"], *chart.inputs["validation"]),
        "twins": twins(*chart.pictures()),
        "class_ratio": float(counts.min() / counts.max()),
        "careless": float(chart.careless),
    }
    return {name: value if math.isfinite(value) else math.inf for name, value in found.items()}


@torch.no_grad()
def recalls(chart: Chart, exam: Pictures) -> list[float]:
    """The accuracy in use of each class, on pictures that come sorted by class."""
    alone = exam.take(exam.targets.argsort(stable=True))
    hits = (_answers(chart, alone) == alone.targets).float()
    return [float(hits[alone.targets == k].mean()) for k in range(len(exam.classes))]


def fits(disease: str, found: dict[str, float]) -> bool:
    """Whether the vital signs are those of a disease."""
    return all(low <= found[sign] <= high for sign, (low, high) in RULES[disease].items())


def twins(train: torch.Tensor, valid: torch.Tensor, limit: float = 0.999) -> float:
    """The share of ``valid`` pictures with a cosine above ``limit`` to one of ``train``, all of them centred.

    Centring and the cosine cancel brightness and contrast (lesson 09).

    >>> a = torch.rand(3, 1, 4, 4)
    >>> twins(a, torch.cat([a[:1] * 0.5, torch.rand(1, 1, 4, 4)]))
    0.5
    """
    train, valid = (
        F.normalize(t.flatten(1) - t.flatten(1).mean(1, keepdim=True), dim=1) for t in (train, valid)
    )
    return float(((valid @ train.T).amax(1) > limit).float().mean())


def _complete(chart: Chart) -> None:
    if len(chart.losses) < 2:
        raise CourseError(
            f"the chart needs two training steps or more and saw {len(chart.losses)}: call chart.step(loss, yb) after "
            "loss.backward(), and give batches() no larger a size than there are pictures"
        )
    if not chart.valid_losses:
        raise CourseError("the chart saw no validation: call chart.epoch(scores, y_valid) once an epoch")
    if "validation" not in chart.inputs:
        raise CourseError(
            "the chart cannot tell validation from training: ask the model about x_valid under torch.no_grad()"
        )


def _answers(chart: Chart, pictures: Pictures, size: int = 25) -> torch.Tensor:
    return torch.cat([chart.predict(images) for images in pictures.images.split(size)]).argmax(1)


def _shift(mean: float, std: float, valid_mean: float, valid_std: float) -> float:
    return max(abs(valid_mean - mean) / std, abs(1 - valid_std / std))
