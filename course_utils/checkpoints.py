"""Checkpoints that survive a kill at any moment: written beside the last one, then renamed.

A checkpoint is a folder ``step-00000120`` with ``weights.safetensors`` (the tensors of the model, its average and its
best weights), ``state.pt`` (optimizer, schedule, generators, counters: tensors and plain values, loaded with
``weights_only=True``) and ``files.json`` (the SHA-256 of both).
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
import shutil
from pathlib import Path

import numpy
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from course_utils.data.archives import digest
from course_utils.errors import TrainingError

FILES = ("weights.safetensors", "state.pt")
_calls = itertools.count(1)


def folder_of_call() -> Path | None:
    """The folder for a call of ``fit`` that names none: ``fit-01``, ``fit-02``, … in ``COURSE_CHECKPOINTS``, in their order.

    ``None`` where that variable is not set. For scripts, whose calls have the same order each time: a project's
    ``train.py --checkpoints FOLDER`` sets it, so a script that was stopped goes on where it was.

    >>> folder_of_call() is None  # outside such a script
    True
    """
    root = os.environ.get("COURSE_CHECKPOINTS")
    return Path(root) / f"fit-{next(_calls):02d}" if root else None


def save_weights(model: nn.Module, path) -> Path:
    """Write a model's weights and buffers to one ``.safetensors`` file, whole or not at all; return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(_portable(model.state_dict()), part)
        _flush(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def load_weights(model: nn.Module, path) -> nn.Module:
    """Load what :func:`save_weights` wrote into ``model``; return the model.

    Raises :class:`TrainingError` if the file is missing, damaged or of another model; it names the first tensors
    that differ.
    """
    path = Path(path)
    if not path.is_file():
        raise TrainingError(f"there is no weights file {path}. Save one with save_weights(model, path).")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise TrainingError(
            f"{path} is no whole safetensors file ({error}): it is damaged, or of another format. "
            "Weights in a .pt or .pth file: model.load_state_dict(torch.load(path, weights_only=True))."
        ) from None
    copy_weights(model, weights, str(path))
    return model


def check_weights(model: nn.Module, weights: dict, where: str = "the weights") -> None:
    """Raise :class:`TrainingError` that names the first differences if ``weights`` are not this model's."""
    own = model.state_dict()
    differences = [
        f"{name}: {_shape(weights.get(name))} there, {_shape(own.get(name))} in the model"
        for name in dict.fromkeys([*own, *weights])
        if _shape(own.get(name)) != _shape(weights.get(name))
    ]
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise TrainingError(
            f"{where} is of another model. First differences: {'; '.join(differences[:3])}{more}. "
            "Build the model that was saved, or use another folder or file."
        )


@torch.no_grad()
def copy_weights(model: nn.Module, weights: dict, where: str = "the weights") -> None:
    """Copy tensors into the model in place (its memory format stays), after :func:`check_weights`."""
    check_weights(model, weights, where)
    for name, tensor in model.state_dict().items():
        tensor.copy_(weights[name])


def save(folder, step: int, weights: dict[str, dict], state: dict) -> Path:
    """Write a checkpoint into ``folder``, then delete the ones before it; return its path.

    ``weights``: named state dicts. ``state``: tensors, numbers, strings, and lists, tuples and dicts of them.
    Raises :class:`TrainingError` if ``state`` holds anything else, or if the disk does not take it; the checkpoint
    before it then stays as it was.
    """
    state = _plain(state, "state")
    folder = Path(folder)
    final, part = folder / f"step-{step:08d}", folder / f".part-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        tensors = {
            f"{kind}/{name}": t for kind, state_dict in weights.items() for name, t in state_dict.items()
        }
        save_file(_portable(tensors), part / FILES[0])
        torch.save(state, part / FILES[1])
        sums = {name: digest(part / name) for name in FILES}
        (part / "files.json").write_text(json.dumps(sums, indent=1), encoding="utf-8")
        for name in (*FILES, "files.json"):
            _flush(part / name)
        _publish(part, final)
    except (OSError, SafetensorError, RuntimeError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise TrainingError(
            f"the checkpoint {final} could not be written: {error}. The one before it is untouched. "
            "Free some disk space or choose another folder."
        ) from error
    for old in _all(folder):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    for stale in folder.glob(".part-*"):  # left by a run that was killed while it wrote
        shutil.rmtree(stale, ignore_errors=True)
    return final


def load(folder) -> tuple[dict[str, dict], dict, Path] | None:
    """The newest checkpoint in ``folder`` as ``(weights, state, path)``; ``None`` where there is none.

    Raises :class:`TrainingError` if a file of it is missing or damaged.
    """
    found = _all(Path(folder))
    if not found:
        return None
    path = found[-1]
    try:
        sums = json.loads((path / "files.json").read_text(encoding="utf-8"))
        for name in FILES:
            if (actual := digest(path / name)) != sums[name]:
                raise ValueError(f"{name} has SHA-256 {actual[:12]}…, expected {sums[name][:12]}…")
        tensors = load_file(path / FILES[0])
        state = torch.load(path / FILES[1], weights_only=True, map_location="cpu")
    except Exception as error:
        raise TrainingError(
            f"the checkpoint {path} is damaged ({type(error).__name__}: {error}). "
            "Delete that folder and train again, or restore it from a copy."
        ) from error
    weights: dict[str, dict] = {}
    for key, tensor in tensors.items():
        kind, name = key.split("/", 1)
        weights.setdefault(kind, {})[name] = tensor
    return weights, state, path


def clear(folder) -> None:
    """Delete the checkpoints in ``folder``, and nothing else."""
    for path in [*_all(Path(folder)), *Path(folder).glob(".part-*")]:
        shutil.rmtree(path, ignore_errors=True)


def rng_state() -> dict:
    """The state of every global generator that this process draws from: Python's, NumPy's, torch's on CPU and GPU."""
    name, keys, *rest = numpy.random.get_state()
    state = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(numpy.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [],
    }
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(state: dict) -> None:
    """Put every global generator back to what :func:`rng_state` returned."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    numpy.random.set_state((name, keys.numpy().astype(numpy.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state(state["cuda"][0])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def _all(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("step-*") if p.is_dir())


def _portable(tensors: dict) -> dict:
    """Copies that safetensors accepts: on the CPU, in plain layout, sharing no memory."""
    plain = {name: t.detach().cpu() for name, t in tensors.items()}
    return {name: t.clone(memory_format=torch.contiguous_format) for name, t in plain.items()}


def _shape(tensor) -> str:
    return "nothing" if tensor is None else f"{tuple(tensor.shape)}"


def _publish(part: Path, final: Path) -> None:
    """Give the finished folder its name. A folder of that name is moved aside first, since none is replaced."""
    if final.exists():
        os.replace(final, part.with_name(f"{part.name}-old"))
    os.replace(part, final)


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _plain(value, where: str):
    """``value`` with NumPy's numbers as Python's: a learning rate may be one, and ``weights_only`` reads none."""
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, dict):
        plain = copy.copy(value)  # of its own kind: a schedule may hold a Counter
        for key, item in value.items():
            plain[key] = _plain(item, f"{where}[{key!r}]")
        return plain
    if isinstance(value, list | tuple):
        return type(value)([_plain(item, f"{where}[{i}]") for i, item in enumerate(value)])
    if not (value is None or isinstance(value, bool | int | float | str | bytes | torch.Tensor)):
        raise TrainingError(
            f"{where} is a {type(value).__name__}, which a checkpoint cannot hold: only tensors, numbers and text. "
            "Use an optimizer and a schedule whose state_dict() is plain."
        )
    return value
