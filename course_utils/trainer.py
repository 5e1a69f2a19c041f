"""Training: the loop of lesson 08, grown up (the loop itself is in :mod:`course_utils.loop`).

Accelerate chooses the device, the precision and the processes, so the same code runs on a laptop, on a GPU and, by
``accelerate launch``, on several.
"""

from __future__ import annotations

import atexit
import os
import shutil
from functools import cache
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DataLoaderConfiguration, convert_to_fp32, send_to_device
from torch import nn

from course_utils import checkpoints, runtime
from course_utils.errors import TrainingError, choice
from course_utils.history import History
from course_utils.loop import Loop, pair
from course_utils.meter import Meter, eval_mode
from course_utils.progress import Progress

__all__ = ["History", "Trainer", "accuracy"]

NO_BATCH = "the loader has no batch to evaluate. Use a smaller batch_size, drop_last=False, or more pictures."


class Trainer:
    """Trains ``model`` with ``optimizer`` to lower ``loss(outputs, targets)``, the mean over a batch.

    - ``scheduler``: a torch scheduler, stepped after every optimizer step (``ReduceLROnPlateau``: every epoch), or a
      function ``(optimizer, total_steps) -> scheduler`` such as :func:`course_utils.optim.cosine`.
    - ``metrics``: ``{name: f(outputs, targets) -> mean over the batch}``; default: accuracy where targets are classes.
    - ``device``: ``"auto"`` follows the run's ``DEVICE``. ``precision``: ``"auto"`` is bf16 (or fp16) on CUDA and full
      precision elsewhere; or ``"no"``, ``"bf16"``, ``"fp16"``.
    - ``accumulate``: batches per optimizer step. ``clip``: largest norm of the gradient. ``ema``: decay of a moving
      average of the weights, which is then what is validated and kept.
    - ``batch_hook(images, targets)``: changes a training batch, such as :class:`course_utils.augment.Mixup`.
    - ``channels_last``: lay out images and kernels as NHWC, on which convolutions run faster.

    Batch normalisation whose parameters are frozen (``requires_grad`` is false) keeps its statistics. Several processes
    (``accelerate launch``) share each batch, take the steps of one, and each is given the same loader, for the whole batch.
    Raises :class:`TrainingError` for an argument that is not valid or an optimizer of another model's weights.

    >>> from course_utils.loaders import TensorLoader
    >>> model = nn.Linear(1, 2)
    >>> trainer = Trainer(model, torch.optim.SGD(model.parameters(), lr=1.0), device="cpu")
    >>> loader = TensorLoader(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]))
    >>> history = trainer.fit(loader, epochs=20, progress=False)
    >>> trainer.evaluate(loader)["accuracy"]
    1.0
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss=F.cross_entropy,
        *,
        scheduler=None,
        metrics: dict | None = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
        accumulate: int = 1,
        clip: float | None = None,
        ema: float | None = None,
        batch_hook=None,
        channels_last: bool = True,
    ):
        own = {id(p) for p in model.parameters()}
        if any(id(p) not in own for group in optimizer.param_groups for p in group["params"]):
            raise TrainingError(
                "the optimizer holds parameters that are not the model's. Build it from model.parameters()."
            )
        if accumulate < 1:
            raise TrainingError(f"accumulate is {accumulate}. Valid: a whole number from 1.")
        if clip is not None and not clip > 0:
            raise TrainingError(f"clip is {clip}. Valid: a norm above 0, or None for no limit.")
        if getattr(scheduler, "optimizer", optimizer) is not optimizer:
            raise TrainingError("the scheduler is of another optimizer. Build it from the one given here.")
        if ema is not None and not 0 < ema < 1:
            raise TrainingError(f"ema is {ema}. Valid: a decay between 0 and 1, such as 0.99, or None.")
        self.model, self.optimizer, self.loss, self.scheduler = model, optimizer, loss, scheduler
        self.metrics, self.batch_hook = metrics, batch_hook
        tensors = [*model.parameters(), *model.buffers()]
        self.channels_last = channels_last and all(t.ndim < 5 for t in tensors)  # volumes have another format
        self.accumulate, self.clip, self.ema = accumulate, clip, ema
        self._wanted = runtime.current().device if str(device) == "auto" else runtime.usable(device)
        self.precision = _precision(precision, self._wanted)
        if self._wanted.type == "cuda" and self._wanted.index is not None:  # Accelerate takes the current one
            torch.cuda.set_device(self._wanted)
        self.device = self.accelerator().device
        model.to(self.device)
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        if isinstance(loss, nn.Module):  # it may hold class weights
            loss.to(self.device)

    def fit(
        self,
        train,
        epochs: int,
        *,
        valid=None,
        checkpoint=None,
        checkpoint_every: int | None = None,
        resume: bool = True,
        early_stopping: int | None = None,
        monitor: str = "valid_loss",
        progress: bool = True,
    ) -> History:
        """Train for ``epochs`` passes over ``train``; return the :class:`History`.

        ``train`` and ``valid`` are a :class:`~course_utils.loaders.TensorLoader` or a torch ``DataLoader`` (exact
        resume needs ``num_workers=0``). With ``valid``, the weights of the epoch with the best ``monitor`` (see
        :func:`~course_utils.history.lower_is_better`) are put back at the end, and ``early_stopping=n`` stops after n
        epochs without a better one. ``checkpoint`` is a folder, written after each epoch and every
        ``checkpoint_every`` optimizer steps. With ``resume`` a run continues from what it finds there: on a CPU to
        the same weights, bit for bit, as if it had not been interrupted. Without, it deletes it and starts anew.
        Where ``checkpoint`` is not given, :func:`course_utils.checkpoints.folder_of_call` decides.

        Raises :class:`TrainingError` at a loss that is not finite (the model then holds its last good weights), and
        for a checkpoint that is damaged or does not fit. After an interruption (``KeyboardInterrupt``, the notebook's
        stop button) ``trainer.history`` has the epochs that were finished, and the model the best one's weights.
        """
        if valid is None and (early_stopping is not None or monitor != "valid_loss"):
            raise TrainingError("early stopping and monitor need validation data: pass valid=loader.")
        if early_stopping is not None and early_stopping < 1:
            raise TrainingError(
                f"early_stopping is {early_stopping}. Valid: a whole number of epochs from 1, or None."
            )
        measured = ["loss", *(["accuracy"] if self.metrics is None else self.metrics)]
        choice(monitor, [*measured, *(f"valid_{m}" for m in measured)], "monitor", TrainingError)
        folder = checkpoints.folder_of_call() if checkpoint is None else checkpoint
        loop = Loop(self, train, epochs, valid, monitor, early_stopping, folder, checkpoint_every)
        loop.progress = Progress(epochs, loop.batches, progress and loop.is_main)
        try:
            loop.begin(resume)
            loop.run()
        finally:
            loop.close()
            self.history = History(loop.state.rows)
        return self.history

    def evaluate(self, loader) -> dict[str, float]:
        """The loss and the metrics over ``loader``: ``{"loss": ..., "accuracy": ...}``.

        Means over batches, each with the weight of its images: over the images, if ``loss`` is a mean over a batch's.
        """
        meter = Meter(every=50)
        with eval_mode(self.model), torch.no_grad():
            for X, y in map(pair, self._ordered(loader)):
                outputs = self._outputs(X)
                meter.add(len(X), {"loss": self.loss(outputs, y), **self.measure(outputs, y)})
        if not meter.count + len(meter.pending):
            raise TrainingError(NO_BATCH)
        return meter.means()

    def predict(self, loader) -> torch.Tensor:
        """The outputs for ``loader``'s images, ``(N, ...)`` float on the CPU; targets in the batches are left aside.

        They come in the loader's order: give a ``DataLoader`` without ``shuffle``.
        """
        with eval_mode(self.model), torch.no_grad():
            batches = (b[0] if isinstance(b, tuple | list) else b for b in self._ordered(loader))
            outputs = [self._outputs(X) for X in batches]
        if not outputs:
            raise TrainingError(NO_BATCH)
        if not isinstance(outputs[0], torch.Tensor):
            raise TrainingError(
                f"the model gives a {type(outputs[0]).__name__}; predict joins tensors. Wrap it in a module that returns one."
            )
        return torch.cat([batch.float().cpu() for batch in outputs])

    def measure(self, outputs, targets) -> dict[str, torch.Tensor]:
        """The metrics of one batch, as tensors on the device."""
        if self.metrics is not None:
            return {name: metric(outputs, targets) for name, metric in self.metrics.items()}
        classes = isinstance(targets, torch.Tensor) and not targets.is_floating_point()
        if classes and isinstance(outputs, torch.Tensor) and outputs.ndim == targets.ndim + 1:
            return {"accuracy": accuracy(outputs, targets)}
        return {}

    def place(self, batch):
        """Move a batch to the device, images in the memory format that the model has."""
        if self.device.type != "cpu":
            batch = send_to_device(batch, self.device, non_blocking=True)
        if not self.channels_last:
            return batch
        first = batch[0] if isinstance(batch, tuple | list) else batch
        if isinstance(first, torch.Tensor) and first.ndim == 4:
            first = first.contiguous(memory_format=torch.channels_last)
        return (first, *batch[1:]) if isinstance(batch, tuple | list) else first

    def accelerator(self) -> Accelerator:
        """A fresh ``Accelerator`` for this trainer's device and precision.

        Accelerate allows one setting a process; a notebook has several trainers, so an old setting is dropped.
        """
        cpu = self._wanted.type == "cpu"
        shared = AcceleratorState._shared_state
        if shared and PartialState().num_processes == 1:
            if shared.get("_mixed_precision") != self.precision or shared["device"].type != self._wanted.type:
                AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(
            cpu=cpu,
            mixed_precision=self.precision,
            dataloader_config=DataLoaderConfiguration(split_batches=True),
        )
        if accelerator.num_processes > 1:
            _leave_group_at_exit()
        return accelerator

    def _ordered(self, loader):
        if hasattr(loader, "ordered"):
            loader = loader.to(self.device).ordered()
        return map(self.place, loader)

    def _outputs(self, images):
        """What the model puts out, in float32 as in training, so that a loss is computed alike in both."""
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        with torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            outputs = self.model(images)
        return convert_to_fp32(outputs)


def accuracy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The share of ``targets`` (N, ...) that the largest of ``logits`` (N, classes, ...) hits, as a tensor.

    Targets of −100 do not count: cross-entropy ignores them too.

    >>> accuracy(torch.tensor([[2.0, 1.0], [3.0, 0.0]]), torch.tensor([0, 1])).item()
    0.5
    """
    labelled = targets != -100
    return ((logits.argmax(1) == targets) & labelled).sum() / labelled.sum().clamp(min=1)


@cache
def _leave_group_at_exit() -> None:
    # A process that ends with its group open can abort: gloo's threads may still run while C++ tears down.
    atexit.register(PartialState().destroy_process_group)


def bf16_is_native(device) -> bool:
    """Whether ``device`` computes in bfloat16 with instructions of its own; without them bf16 is slower than float32.

    >>> bf16_is_native("mps")
    False
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Private to torch, which has no public question for it.
    return kind == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def can_compile(device) -> bool:
    """Whether ``torch.compile`` finds what it needs for ``device``: a C++ compiler; on CUDA Triton and a C compiler.

    >>> can_compile("mps")
    False
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return find_spec("triton") is not None and any(
            map(shutil.which, (os.environ.get("CC", "gcc"), "clang"))
        )
    return kind == "cpu" and shutil.which("g++") is not None


def _precision(precision: str, device: torch.device) -> str:
    choice(precision, ("auto", "no", "bf16", "fp16"), "precision", TrainingError)
    if precision == "auto":
        if device.type != "cuda":
            return "no"
        return "bf16" if bf16_is_native(device) else "fp16"
    if device.type == "cpu" and precision != "no":
        if precision == "fp16" or not bf16_is_native(device):
            raise TrainingError(
                f"precision={precision!r} on this CPU has no instructions of its own and would be many times slower. "
                "Use precision='auto', which is full precision on a CPU."
            )
    return precision
