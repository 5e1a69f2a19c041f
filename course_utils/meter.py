"""Small helpers of the training loop: running means, and a model's mode and weights."""

from __future__ import annotations

import math
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


class Meter:
    """Means over an epoch's images, read from the device only every ``every`` batches.

    ``loss`` is the last loss that was read, or the first that was not finite; it was ``ago`` batches ago.

    >>> meter = Meter(every=2)
    >>> meter.add(1, {"loss": torch.tensor(2.0)}); meter.add(3, {"loss": torch.tensor(4.0)})
    >>> meter.means(), meter.loss
    ({'loss': 3.5}, 4.0)
    """

    def __init__(self, every: int = 1):
        self.every, self.pending, self.sums, self.count = every, [], {}, 0
        self.loss, self.ago = None, 0

    def add(self, n: int, values: dict[str, torch.Tensor]) -> None:
        """Note a batch of ``n`` images with these means."""
        self.pending.append((n, values))
        if len(self.pending) >= self.every:
            self.flush()

    def flush(self) -> None:
        """Read what is pending."""
        if not self.pending:
            return
        counts = [n for n, _ in self.pending]
        for name in self.pending[0][1]:
            numbers = _read([values[name] for _, values in self.pending])
            total = sum(n * v for n, v in zip(counts, numbers, strict=True))
            self.sums[name] = self.sums.get(name, 0.0) + total
            if name == "loss":
                at = next((i for i, v in enumerate(numbers) if not math.isfinite(v)), len(numbers) - 1)
                self.loss, self.ago = numbers[at], len(numbers) - 1 - at
        self.count += sum(counts)
        self.pending = []

    def means(self) -> dict[str, float]:
        """The means so far."""
        self.flush()
        return {name: total / self.count for name, total in self.sums.items()}


def _read(tensors: list) -> list[float]:
    """Tensors (or numbers) as numbers, with one transfer."""
    if len(tensors) == 1:
        return [float(tensors[0])]
    return torch.stack([torch.as_tensor(t) for t in tensors]).tolist()


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the model's weights and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def finite(model: nn.Module) -> bool:
    """Whether no weight is NaN or infinite and no buffer NaN: a mask may hold infinities on purpose."""
    weights = all(bool(torch.isfinite(p).all()) for p in model.parameters())
    return weights and not any(bool(torch.isnan(b).any()) for b in model.buffers())


def train_mode(model: nn.Module) -> None:
    """Training mode, except for batch normalisation whose parameters are all frozen."""
    model.train()
    rest_frozen_norms(model)


def rest_frozen_norms(model: nn.Module) -> None:
    """Evaluation mode for batch normalisation whose parameters are all frozen: no batch moves its statistics."""
    for module in model.modules():
        if isinstance(module, _NormBase):
            parameters = list(module.parameters(recurse=False))
            if parameters and not any(p.requires_grad for p in parameters):
                module.eval()


@contextmanager
def eval_mode(model: nn.Module):
    """Evaluation mode for a while; each module's own mode comes back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
