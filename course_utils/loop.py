"""The training loop itself, with what it must remember to be resumed. :class:`course_utils.Trainer` runs it."""

from __future__ import annotations

import math
import random
import re
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from accelerate.utils import broadcast, broadcast_object_list, reduce
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from course_utils import checkpoints
from course_utils.errors import TrainingError
from course_utils.history import lower_is_better
from course_utils.meter import Meter, finite, snapshot, train_mode
from course_utils.optim import EMA
from course_utils.processes import Share
from course_utils.resume import resume_run, save_run

# On a CPU a number is there at once; on a GPU reading one waits for all work before it.
READ_EVERY = {"cpu": 1}

# What gloo and NCCL say when the other end is gone.
CONNECTION = re.compile(r"gloo|NCCL|[Cc]onnection (closed|reset)|[Bb]roken pipe|[Tt]imed out")


@dataclass
class State:
    """Where a run stands, in plain values."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches finished in the epoch under way
    step: int = 0  # optimizer steps
    seconds: float = 0.0  # spent in the epoch under way
    rows: list = field(default_factory=list)
    best: float | None = None
    stale: int = 0  # epochs since the best one
    stopped: bool = False


class Loop:
    """One call of ``Trainer.fit``: ``begin`` (perhaps from a checkpoint), ``run``, ``close``."""

    def __init__(self, trainer, train, epochs, valid, monitor, patience, folder, every):
        self.trainer, self.train, self.epochs, self.valid = trainer, train, epochs, valid
        self.monitor, self.patience, self.folder, self.every = monitor, patience, folder, every
        self.model, self.device, self.accelerator = trainer.model, trainer.device, trainer.accelerator()
        self.is_main, self.world = self.accelerator.is_main_process, self.accelerator.num_processes
        self.rank, self.divided = self.accelerator.process_index, True
        if hasattr(train, "shard"):
            train.to(self.device).shard(self.rank, self.world)
        elif getattr(train, "num_workers", 0):
            self.train = self._divide(train) if self.world > 1 else train
        else:  # every process makes the same whole batch, to the last random number, and keeps its share
            self.divided = False
            if hasattr(train, "batches"):
                train.to(self.device)
        try:
            self.batches = len(self.train)
        except TypeError:
            raise TrainingError(
                "the training loader has no length, which an epoch needs. Give it a dataset that has one; for pictures "
                "that are read as a stream there is course_utils.shards.ShardLoader."
            ) from None
        if not self.batches:
            raise TrainingError(
                "the training loader has no batch. Use a smaller batch_size, drop_last=False, or more pictures."
            )
        self.loader_rng = _generators(self.train, train)
        self.scheduler, self.schedule_steps = trainer.scheduler, None
        if self.scheduler is not None and not isinstance(self.scheduler, LRScheduler):
            self.schedule_steps = -(-self.batches // trainer.accumulate) * epochs
            self.scheduler = self.scheduler(trainer.optimizer, self.schedule_steps)
        self.plateau = isinstance(self.scheduler, ReduceLROnPlateau)
        if self.plateau and (self.scheduler.mode == "min") != lower_is_better(monitor):
            better = "min" if lower_is_better(monitor) else "max"
            raise TrainingError(
                f"ReduceLROnPlateau has mode={self.scheduler.mode!r}, but monitor={monitor!r} is better the "
                f"{'smaller' if better == 'min' else 'larger'} it is. Use mode={better!r}."
            )
        self.rates = "set by the plateau" if self.plateau else _rates(trainer.optimizer)
        self.ema = EMA(self.model, trainer.ema) if trainer.ema else None
        self.meter = Meter(every=READ_EVERY.get(self.device.type, 50))
        self.state, self.progress = State(), None
        self.best = self.good = self.epoch_rng = self.resumed_rng = None
        self.own_forward = self.model.__dict__.get("forward")

    def begin(self, resume: bool) -> None:
        """Wrap the model for the device and the processes; continue from a checkpoint if there is one."""
        self.net, self.optimizer = self.accelerator.prepare(self.model), self.trainer.optimizer
        if self.accelerator.scaler is not None:  # without one the wrapper only costs time at each step
            self.optimizer = self.accelerator.prepare_optimizer(self.optimizer)
        self.optimizer.zero_grad()
        if self.folder is not None and resume:
            resume_run(self)
        elif self.folder is not None and self.is_main:
            checkpoints.clear(self.folder)

    def run(self) -> None:
        """Train until the last epoch or early stopping, then put the best weights back."""
        while self.state.epoch < self.epochs and not self.state.stopped:
            if self.good is None or finite(self.model):
                self.good = snapshot(self.model)
            self.progress.start_epoch(self.state.epoch + 1, self.state.batch)
            try:
                self._train_epoch()
                self._end_epoch()
            except RuntimeError as error:
                raise self._lost(error) from error
            except KeyboardInterrupt:
                if self.best is not None:
                    checkpoints.copy_weights(self.model, self.best)
                raise
        if self.best is None and self.good is not None and not finite(self.model):
            checkpoints.copy_weights(self.model, self.good)
            raise TrainingError(
                "a weight is not finite after the last step. Try a learning rate ten times smaller, or clip=1.0. "
                "The model holds the weights of the start of the last epoch again."
            )
        if self.best is not None:
            checkpoints.copy_weights(self.model, self.best)
        elif self.ema is not None:
            checkpoints.copy_weights(self.model, self.ema.weights)
            self._share_statistics()

    def close(self) -> None:
        """Take the bar away, and from the model what Accelerate has added to it."""
        if self.progress is not None:
            self.progress.close()
        added = self.model.__dict__
        if "_original_forward" in added:
            del added["_original_forward"], added["forward"]
            if self.own_forward is not None:
                added["forward"] = self.own_forward
        added.pop("_is_accelerate_prepared", None)

    def _divide(self, train):
        """A ``DataLoader`` with workers, of which each process reads its part of every batch."""
        batches = train.batch_sampler
        size, drawn = getattr(batches, "batch_size", None), _length(getattr(batches, "sampler", ()))
        if size and drawn and drawn % size and not getattr(batches, "drop_last", False):
            raise TrainingError(
                f"{drawn} pictures in batches of {size} leave an incomplete last batch, which would be filled with pictures that "
                "the epoch has had. Use drop_last=True; or num_workers=0, with which each process makes the whole batch and "
                "keeps its share."
            )
        given = train.worker_init_fn
        train.worker_init_fn = partial(_own_numbers, self.rank, given)  # Accelerate's loader copies it
        try:
            return self.accelerator.prepare_data_loader(train)
        finally:
            train.worker_init_fn = given

    def _train_epoch(self) -> None:
        trainer, s = self.trainer, self.state
        started = time.perf_counter() - s.seconds
        train_mode(self.net)
        for batch in self._batches():
            X, y = pair(trainer.place(batch))
            if trainer.batch_hook is not None:
                X, y = trainer.batch_hook(X, y)
            share = Share(len(X), self.rank, self.world, self.divided)
            X, y = share.of(X, y)
            place = s.batch % trainer.accumulate
            group = min(trainer.accumulate, self.batches - s.batch + place)  # the last group may be smaller
            complete = place == group - 1
            with nullcontext() if complete else self.accelerator.no_sync(self.net), share:
                outputs = self.net(X)
                loss = trainer.loss(outputs, y)
                if loss.ndim:
                    raise TrainingError(
                        f"the loss has shape {tuple(loss.shape)}. Valid: one number, such as with reduction='mean'."
                    )
                self._measure(share.pictures, X, y, outputs, loss)
                if share.scale != 1:
                    loss = loss * share.scale
                self.accelerator.backward(loss / group if group > 1 else loss)
            s.batch += 1
            if complete:
                self._step()
            s.seconds = time.perf_counter() - started
            self.progress.step(s.batch, self.meter.loss)
            if complete and self.every and s.step % self.every == 0 and s.batch < self.batches:
                self.meter.flush()
                self._check_loss(s.batch - 1)
                save_run(self)
        self.meter.flush()  # waits for a GPU's queue, which belongs to the epoch's seconds
        s.seconds = time.perf_counter() - started

    def _measure(self, n: int, X, y, outputs, loss) -> None:
        """Note the batch's numbers; stop before a step is taken on a loss that is not finite."""
        s, values = self.state, {"loss": loss.detach()}
        if self.trainer.batch_hook is None:
            with torch.no_grad():
                values |= self.trainer.measure(outputs, y)
        self.meter.add(n, values)
        self._check_loss(s.batch, X)

    def _check_loss(self, batch: int, X=None) -> None:
        """Stop at a loss that was read and is not finite; ``batch`` is the last one that was measured."""
        if self.meter.loss is not None and not math.isfinite(self.meter.loss):
            self._stop(self.meter.loss, batch - self.meter.ago, X)

    def _step(self) -> None:
        if self.trainer.clip is not None:
            # The gradients of other parameters are never cleared, and must not count.
            changed = [p for group in self.optimizer.param_groups for p in group["params"]]
            self.accelerator.clip_grad_norm_(changed, self.trainer.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        skipped = getattr(self.optimizer, "step_was_skipped", False)  # by the scaler, after an overflow
        if self.scheduler is not None and not self.plateau and not skipped:
            self.scheduler.step()
        if self.ema is not None:
            self.ema.update(self.model)
        self.state.step += 1

    def _end_epoch(self) -> None:
        s, lr = self.state, self._lr()
        sums, count = self.totals()
        row = {"epoch": s.epoch + 1, "step": s.step, **{name: total / count for name, total in sums.items()}}
        if not math.isfinite(row["loss"]):
            own = self.meter.loss  # finite, if it is another process whose loss is not
            self._stop(row["loss"] if math.isfinite(own) else own, s.batch - 1 - self.meter.ago)
        if self.valid is not None:
            with self._averaged():
                row |= {f"valid_{k}": v for k, v in self.trainer.evaluate(self.valid).items()}
                if math.isfinite(row["valid_loss"]):
                    self._judge(row)
            if not math.isfinite(row["valid_loss"]):  # out here: leaving `with` puts the raw weights back
                self._stop(row["valid_loss"], s.batch - 1, what="the validation loss")
        if self.plateau:
            self.scheduler.step(row.get(self.monitor, row["loss"]))
        row |= {"lr": lr, "seconds": s.seconds}
        s.rows.append(row)
        s.epoch, s.batch, s.seconds, self.meter.sums, self.meter.count = s.epoch + 1, 0, 0.0, {}, 0
        self.progress.end_epoch(row)
        if self.folder is not None:
            save_run(self)

    def totals(self) -> tuple[dict[str, float], int]:
        """Sums of what was measured in this epoch so far, over the images of all processes, and how many those are."""
        self.meter.flush()
        sums, count = self.meter.sums, self.meter.count
        if self.world > 1:
            own = torch.tensor([count, *sums.values()], dtype=torch.float64, device=self.device)
            count, *every = reduce(own, "sum").tolist()
            sums = dict(zip(sums, every, strict=True))
        return sums, int(count)

    def _judge(self, row: dict) -> None:
        """Keep the weights if this epoch is the best; count the epochs since; stop when patience is out."""
        s = self.state
        if self.monitor not in row:
            raise TrainingError(f"monitor={self.monitor!r} was not measured. Valid: {', '.join(row)}.")
        value = row[self.monitor]
        better = not math.isnan(value) and (
            s.best is None or (value < s.best if lower_is_better(self.monitor) else value > s.best)
        )
        s.stale = 0 if better else s.stale + 1
        if better:
            s.best, self.best = value, snapshot(self.model)
        s.stopped = self.patience is not None and s.stale >= self.patience

    @contextmanager
    def _averaged(self):
        """Put the averaged weights into the model for a while; give all processes the first one's statistics."""
        if self.ema is None:
            self._share_statistics()
            yield
            return
        raw = snapshot(self.model)
        checkpoints.copy_weights(self.model, self.ema.weights)
        self._share_statistics()
        try:
            yield
        finally:
            checkpoints.copy_weights(self.model, raw)

    def _share_statistics(self) -> None:
        if self.world > 1:
            for buffer in self.model.buffers():
                buffer.copy_(broadcast(buffer))

    def _batches(self):
        """The rest of this epoch's batches."""
        s = self.state
        if self.world > 1 and s.batch == 0:  # a model may have drawn differently for each process's pictures
            checkpoints.set_rng_state(broadcast_object_list([checkpoints.rng_state()])[0])
        if hasattr(self.train, "batches"):
            return self.train.batches(s.epoch, s.batch)
        own = self.loader_rng
        if s.batch == 0:
            # The order is drawn when the epoch begins: replaying it needs the generators as they were then.
            self.epoch_rng = (checkpoints.rng_state(), [rng.get_state() for rng in own])
            return iter(self.train)
        checkpoints.set_rng_state(self.epoch_rng[0])
        for rng, state in zip(own, self.epoch_rng[1], strict=True):
            rng.set_state(state)
        batches = iter(self.train)
        for _ in range(s.batch):
            next(batches)
        checkpoints.set_rng_state(self.resumed_rng)
        return batches

    def _lost(self, error: RuntimeError) -> Exception:
        """What to raise for ``error``: a plain word where another process is gone, else the error itself."""
        if self.world == 1 or isinstance(error, TrainingError) or not CONNECTION.search(str(error)):
            return error
        kept = "Without a checkpoint folder nothing is left of it."
        if self.folder is not None:
            kept = f"Start all processes again: they continue from the last checkpoint in {self.folder}."
        return TrainingError(
            f"another of the {self.world} processes is gone: process {self.accelerator.process_index} lost its "
            f"connection in epoch {self.state.epoch + 1}, batch {self.state.batch + 1}. {kept}"
        )

    def _lr(self) -> float:
        return max(group["lr"] for group in self.optimizer.param_groups)

    def _stop(self, loss: float, batch: int, X=None, what: str = "the loss") -> None:
        """Raise, with the last good weights back in the model; ``batch`` counts from 0 in this epoch."""
        s, group = self.state, self.trainer.accumulate
        done = s.batch // group if s.batch < self.batches else -(-s.batch // group)  # steps of this epoch
        step = s.step - done + batch // group + 1
        kept, words = (self.best, "the best epoch") if self.best else (self.good, "the start of this epoch")
        checkpoints.copy_weights(self.model, kept)
        bad_input = isinstance(X, torch.Tensor) and not bool(torch.isfinite(X).all())
        raise TrainingError(
            f"{what} is {loss} at step {step} (epoch {s.epoch + 1}, batch {batch + 1}), "
            f"learning rate {self._lr():.3g}. "
            + ("This batch of images itself holds NaN or infinity: look at the data. " if bad_input else "")
            + "Try a learning rate ten times smaller, clip=1.0, or a warm-up; look for log(0) or a division by zero "
            f"in the loss. The model holds the weights of {words} again"
            + (f"; the last checkpoint is in {self.folder}." if self.folder is not None else ".")
        )


def pair(batch) -> tuple:
    """``(images, targets)``, or a :class:`TrainingError` that says what the loader gives instead."""
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return tuple(batch)
    given = f"{len(batch)} parts" if isinstance(batch, tuple | list) else f"a {type(batch).__name__}"
    raise TrainingError(f"a batch of the loader is {given}. Needed: two, the images and their targets.")


def _generators(*loaders) -> list[torch.Generator]:
    """The generators of its own that a ``DataLoader`` may have, itself or in its samplers (Accelerate gives one as well)."""
    found = {}
    for loader in loaders:
        batches = getattr(loader, "batch_sampler", None)
        for part in (loader, getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None)):
            rng = getattr(part, "generator", None)
            if isinstance(rng, torch.Generator):
                found[id(rng)] = rng
    return list(found.values())


def _length(sampler) -> int:
    try:
        return len(sampler)
    except TypeError:  # of a stream
        return 0


def _own_numbers(rank: int, given, worker: int) -> None:
    """Let a worker of process ``rank`` draw other numbers than that of the same place in another process."""
    seed = (torch.initial_seed() + 1_000_003 * rank) % 2**63
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if given is not None:
        given(worker)


def _rates(optimizer) -> list[list[float]]:
    """Each group's learning rate before any schedule, and its weight decay."""
    return [
        [float(g.get("initial_lr", g["lr"])), float(g.get("weight_decay", 0))] for g in optimizer.param_groups
    ]
