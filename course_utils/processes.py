"""Several processes that train together: each works on its share of every batch, and they take the step of one process."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from accelerate.utils import slice_tensors
from torch import distributed
from torch.overrides import TorchFunctionMode

COUNTED = (F.cross_entropy, F.nll_loss)  # their mean is over the weights of the targets that count
DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d)


class Share(TorchFunctionMode):
    """The part of a batch of ``pictures`` that process ``rank`` of ``world`` works on; with ``world=1`` the batch itself.

    Inside ``with share:``, :func:`total` and :func:`weighted` count over all processes, and so does batch normalisation: as
    ``nn.SyncBatchNorm``, but on processors too, and in every layer that calls ``F.batch_norm``. Dropout draws as for the
    whole batch; cross-entropy is the mean over all targets that count, with their class weights. A loss that is a mean over
    pictures, times ``scale``, then has as its mean over the processes the loss of the whole batch. ``divided``: the loader has cut the batch itself, into parts of as many ``pictures``.

    >>> share = Share(5, rank=1, world=2)
    >>> share.of(torch.arange(5), {"number": torch.arange(5)})
    (tensor([2, 3, 4]), {'number': tensor([2, 3, 4])})
    >>> share.pictures, share.scale
    (3, 1.2)
    """

    active: ClassVar[list[Share]] = []

    def __init__(self, pictures: int, rank: int, world: int, divided: bool = False):
        super().__init__()
        self.batch, self.world, self.divided = pictures * world if divided else pictures, world, divided
        first, end = self.batch * rank // world, self.batch * (rank + 1) // world
        self.pictures = end - first
        self.part = self.pictures / self.batch
        self.scale = self.part * world
        # Of fewer pictures than processes some get none: they take part, as they must, with one that does not count.
        self.rows = slice(first, max(end, first + 1))
        self.here = self.rows.stop - first

    def of(self, images, targets):
        """This process's part of ``images``, a tensor (N, ...) or a list of N, and of ``targets``, alike or nested tensors."""
        if self.world == 1 or self.divided:
            return images, targets
        if isinstance(images, torch.Tensor):
            return slice_tensors((images, targets), self.rows)
        return images[self.rows], targets[self.rows]

    def __enter__(self):
        if self.world > 1:
            self.active.append(self)
            super().__enter__()
        return self

    def __exit__(self, *error):
        if self.world > 1:
            self.active.pop()
            super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.batch_norm and kwargs["training"]:
            return self._batch_norm(*args, **kwargs)
        if func in DROPOUTS and kwargs["training"] and len(args[0]) % self.here == 0:
            return self._dropout(func, *args, kwargs["p"])
        if func in COUNTED and _is_mean(kwargs) and not args[1].is_floating_point():
            return self._counted(func, *args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(self, func, x, p):
        each = len(x) // self.here  # frames of a video may stand in a row
        whole = x.new_ones(self.batch * each, *x.shape[1:])
        if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
            whole = whole.contiguous(memory_format=torch.channels_last)
        return x * func(whole, p, True)[self.rows.start * each : self.rows.stop * each]

    def _counted(self, func, outputs, targets, weight, ignore_index, **kwargs):
        known = targets[targets != ignore_index]
        if len(known):
            mean = func(outputs, targets, weight=weight, ignore_index=ignore_index, **kwargs)
        else:
            mean = outputs.sum() * 0
        return weighted(mean, len(known) if weight is None else weight[known].sum())

    def _batch_norm(self, x, running_mean, running_var, weight, bias, training, momentum, eps):
        others = [d for d in range(x.ndim) if d != 1]
        column = (-1, *[1] * (x.ndim - 2))
        mean = total(x.float().mean(others) * self.part)
        centred = x.float() - mean.view(column)
        var = total(centred.square().mean(others) * self.part)
        n = x[:, 0].numel() * self.batch // self.here
        if n == 1:
            raise ValueError(
                "batch normalisation got one value a channel from all processes. Use larger batches."
            )
        with torch.no_grad():
            for running, now in ((running_mean, mean), (running_var, var * n / (n - 1))):
                if running is not None:
                    running.lerp_(now.to(running.dtype), momentum)
        out = centred * (var + eps).rsqrt().view(column)
        if weight is not None:
            out = out * weight.view(column)
        if bias is not None:
            out = out + bias.view(column)
        return out.to(x.dtype)


def _is_mean(kwargs) -> bool:
    """Whether a loss is asked for as a mean, and not by the deprecated ``size_average`` and ``reduce``, which come first."""
    return kwargs["reduction"] == "mean" and kwargs["size_average"] is None and kwargs["reduce"] is None


class _Sum(torch.autograd.Function):
    """Over the processes; each one's share of it goes into the losses of all."""

    @staticmethod
    def forward(ctx, value):
        value = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx, grad):
        return _Sum.apply(grad)


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum of ``value`` over all processes within a training step, with its gradient; elsewhere ``value`` itself.

    For a loss that is not a mean over pictures: a sum over a batch, divided by what the batch holds of something.

    >>> total(torch.tensor(3.0))
    tensor(3.)
    """
    if not Share.active:
        return value
    return _Sum.apply(value if Share.active[-1].pictures else value * 0)


def weighted(mean: torch.Tensor, weight: torch.Tensor | float) -> torch.Tensor:
    """The mean of each process's ``mean`` with its ``weight``, as :func:`total`: such as a mean over labelled pixels.

    >>> weighted(torch.tensor(3.0), 7)
    tensor(3.)
    """
    if not Share.active:
        return mean
    weight = torch.as_tensor(weight, dtype=mean.dtype, device=mean.device)
    return total(mean * weight) / total(weight).clamp(min=1e-6)
