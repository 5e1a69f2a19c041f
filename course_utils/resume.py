"""What a run writes into a checkpoint, and how it continues from one."""

from __future__ import annotations

from dataclasses import asdict

from accelerate.utils import gather_object

from course_utils import checkpoints
from course_utils.errors import TrainingError
from course_utils.meter import finite


def save_run(loop) -> None:
    """Write everything that the rest of the run depends on; with several processes, the first one writes."""
    rng = gather_object([checkpoints.rng_state()])
    measured = loop.totals()
    if not loop.is_main or not finite(loop.model):  # the last good checkpoint stays; the next loss tells
        return
    weights = {"model": loop.model.state_dict()}
    if loop.ema is not None:
        weights["ema"] = loop.ema.weights
    if loop.best is not None:
        weights["best"] = loop.best
    scaler = loop.accelerator.scaler
    state = {
        "setup": _setup(loop),
        "state": asdict(loop.state),
        "meter": measured,
        "ema_steps": loop.ema.steps if loop.ema else 0,
        "optimizer": loop.optimizer.state_dict(),
        "scheduler": loop.scheduler.state_dict() if loop.scheduler else None,
        "scaler": scaler.state_dict() if scaler else None,
        "rng": rng,
        "epoch_rng": loop.epoch_rng,
        "loader_rng": [rng.get_state() for rng in loop.loader_rng],
    }
    checkpoints.save(loop.folder, loop.state.step, weights, state)


def resume_run(loop) -> None:
    """Put a loop where the newest checkpoint in its folder was; do nothing if there is none.

    Raises :class:`TrainingError` for a checkpoint that is damaged, or of another model or set-up.
    """
    found = checkpoints.load(loop.folder)
    if found is None:
        return
    weights, saved, path = found
    checkpoints.check_weights(loop.model, weights["model"], f"the checkpoint {path}")
    for name, value in _setup(loop).items():
        if saved["setup"].get(name) != value:
            raise TrainingError(
                f"the checkpoint {path} is of another run: {name} was {saved['setup'].get(name)}, now {value}. "
                "Set it back, use another folder, or start anew with resume=False."
            )
    try:
        loop.optimizer.load_state_dict(saved["optimizer"])
    except (ValueError, KeyError) as error:
        raise TrainingError(
            f"the checkpoint {path} does not fit the optimizer: {error}. Use another folder or resume=False."
        ) from None
    checkpoints.copy_weights(loop.model, weights["model"])
    if loop.scheduler:
        loop.scheduler.load_state_dict(saved["scheduler"])
    if loop.accelerator.scaler and saved["scaler"]:
        loop.accelerator.scaler.load_state_dict(saved["scaler"])
    if loop.ema:
        loop.ema.steps = saved["ema_steps"]
        for name, tensor in loop.ema.weights.items():
            tensor.copy_(weights["ema"][name])
    if "best" in weights:
        loop.best = {name: tensor.to(loop.device) for name, tensor in weights["best"].items()}
    for name, value in saved["state"].items():
        setattr(loop.state, name, value)
    loop.state.stopped = loop.patience is not None and loop.state.stale >= loop.patience
    if loop.is_main:  # it stands for all processes, whose numbers are added up
        loop.meter.sums, loop.meter.count = saved["meter"]
    streams, own = saved["rng"], loop.accelerator.process_index
    loop.epoch_rng = saved["epoch_rng"]
    loop.resumed_rng = streams[own if own < len(streams) else 0]
    checkpoints.set_rng_state(loop.resumed_rng)
    for rng, state in zip(loop.loader_rng, saved["loader_rng"], strict=True):
        rng.set_state(state)
    s = loop.state
    loop.progress.say(f"continuing from {loop.folder}: {s.epoch} epochs and {s.batch} batches are done")


def _setup(loop) -> dict:
    """What must be the same when a run is resumed: not the number of processes, unless the loader divides the batches."""
    return {
        "optimizer": type(loop.trainer.optimizer).__name__,
        "scheduler": type(loop.scheduler).__name__ if loop.scheduler else "none",
        "schedule's steps": loop.schedule_steps or "none",
        "learning rate and weight decay": loop.rates,
        "ema": loop.trainer.ema or "none",
        "accumulate": loop.trainer.accumulate,
        "monitor": loop.monitor if loop.valid is not None else "no validation data",
        "batches per epoch": loop.batches,
        "loader's seed": getattr(loop.train, "seed", "none"),
        "generators of the loader's own": len(loop.loader_rng),
        "batch_size": getattr(loop.train, "batch_size", None) or "none",
        "processes": loop.world if loop.divided else "any",
        **getattr(loop.train, "order_depends_on", {}),
    }
