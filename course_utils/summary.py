"""What each layer of a network puts out and costs, read from one forward pass (lessons 03 and 05).

>>> from torch import nn
>>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
>>> report = summary(net, (1, 8, 8))
>>> report.parameters, report.flops, report.rows[0].output
(1490, 5472, (1, 4, 6, 6))
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from course_utils.errors import CourseError
from course_utils.meter import eval_mode
from course_utils.receptive import ReceptiveFields, field_of
from course_utils.summary_table import as_html, as_text

__all__ = ["Row", "Summary", "forward_hooks", "summary"]

READABLE = 30  # rows; more are folded when a summary is shown


@dataclass(frozen=True)
class Row:
    """One call of one module.

    ``output``: shape with the batch. ``parameters``: those not counted in a row above. ``flops`` and ``memory``
    (bytes of new output) are for the whole batch. ``receptive_field`` and ``jump`` in input pixels: a number, a tuple
    where height and width differ, or ``None`` where a value can depend on the whole input.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    flops: int
    memory: int
    receptive_field: int | float | tuple | None
    jump: int | float | tuple | None
    call: int = 1


@dataclass(frozen=True)
class Summary:
    """The rows of a network, and their totals. ``summary["fc1"]`` is the first row of that name.

    ``parameters`` and ``trainable`` count every parameter of the model once, ``unused`` those of modules that this
    pass did not call (name → number). ``flops`` and ``memory`` are for the batch of ``batch_size``.
    """

    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    flops: int
    memory: int
    input_size: tuple[int, ...]
    batch_size: int
    unused: dict[str, int]
    kinds: dict[str, str]

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        names = ", ".join(dict.fromkeys(row.name for row in self.rows if row.name))
        raise CourseError(f"the summary has no layer {name!r}. It has: {names}.")

    def fold(self, depth: int) -> Summary:
        """The same with one row for each block: names cut after ``depth`` parts, neighbours of one name added up."""
        rows: list[Row] = []
        for row in self.rows:
            name = ".".join(row.name.split(".")[:depth])
            if rows and name and rows[-1].name == name and (row.name != name or row.call == 1):
                sums = {
                    key: getattr(rows[-1], key) + getattr(row, key)
                    for key in ("parameters", "flops", "memory")
                }
                last = {key: getattr(row, key) for key in ("output", "receptive_field", "jump")}
                rows[-1] = replace(rows[-1], kind=self.kinds[name], **sums, **last)
            else:
                rows.append(row if row.name == name else replace(row, name=name, kind=self.kinds[name]))
        return replace(self, rows=tuple(rows))

    def readable(self) -> Summary:
        """Folded as little as makes it a table that is read and not scrolled."""
        deepest = max((row.name.count(".") + 1 for row in self.rows), default=1)
        for depth in range(deepest, 0, -1):
            if len((folded := self.fold(depth)).rows) <= READABLE:
                return folded
        return self.fold(1)

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self)


def summary(model: nn.Module, input_size: tuple[int, ...], batch_size: int = 1) -> Summary:
    """Run ``model`` once on zeros, in evaluation mode, and report every layer.

    ``input_size`` is the shape of *one* input, without the batch: ``(3, 224, 224)``. FLOPs come from
    ``torch.utils.flop_counter``, so a multiply-add counts 2. A module that is called twice has two rows; its parameters
    count once. What a module computes itself, beside its children (a residual sum, a scale), has a row of its own.
    The model's device, modes, hooks and buffers are as before afterwards, also after an error. On a model built under
    ``torch.device("meta")`` nothing is computed and no memory is needed.

    Raises :class:`CourseError` for a model that is none, a size that is not valid, and a model that cannot take it.
    Lesson 05.

    >>> summary(nn.Conv2d(4, 8, 3, groups=4), (4, 10, 10)).flops == 2 * (8 * 8 * 8) * (1 * 3 * 3)
    True
    """
    x = _zeros(model, input_size, batch_size)
    watch = _Watch(model, x)
    counter = FlopCounterMode(display=False)
    watch.flops = counter.get_total_flops
    with eval_mode(model), torch.no_grad(), forward_hooks(model, watch.before, watch.after):
        try:
            with counter, ReceptiveFields(x):
                model(x)
        except Exception as error:
            raise CourseError(
                f"the model cannot take an input of shape {tuple(x.shape)}: {type(error).__name__}: {_first_line(error)} "
                "input_size is the shape of one input without the batch, such as (3, 224, 224)."
            ) from error
    parameters = list(model.parameters())
    return Summary(
        rows=tuple(watch.rows),
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        flops=counter.get_total_flops(),
        memory=sum(row.memory for row in watch.rows),
        input_size=tuple(x.shape[1:]),
        batch_size=batch_size,
        unused=watch.unused(),
        kinds={name: type(module).__name__ for name, module in model.named_modules()},
    )


@contextmanager
def forward_hooks(model: nn.Module, before: Callable | None = None, after: Callable | None = None):
    """Call ``before(module, inputs)`` and ``after(module, inputs, output)`` around every module, for a while.

    The hooks are removed at the end, also after an error. Lesson 07.

    >>> seen = []
    >>> with forward_hooks(nn.Sequential(nn.ReLU()), after=lambda m, x, y: seen.append(type(m).__name__)) as net:
    ...     _ = net(torch.zeros(1))
    >>> seen
    ['ReLU', 'Sequential']
    """
    handles = []
    try:
        for module in model.modules():
            if before is not None:
                handles.append(module.register_forward_pre_hook(before))
            if after is not None:
                handles.append(module.register_forward_hook(after))
        yield model
    finally:
        for handle in handles:
            handle.remove()


class _Watch:
    """The two hooks, and what they have seen: a stack of open calls, and a row for each that has ended."""

    def __init__(self, model: nn.Module, x: torch.Tensor):
        self.names = {module: name for name, module in model.named_modules()}
        self.rows: list[Row] = []
        self.open: list[
            list[int]
        ] = []  # for each call that has not ended: FLOPs before it, FLOPs in its children
        self.calls: dict[nn.Module, int] = {}
        self.counted: set[int] = set()  # parameters
        self.held = {x.untyped_storage()._cdata: x}  # outputs stay alive, so that no address comes twice
        self.flops: Callable[[], int] = lambda: 0

    def before(self, module, inputs):
        self.open.append([self.flops(), 0])

    def after(self, module, inputs, output):
        start, in_children = self.open.pop()
        flops = self.flops() - start
        if self.open:
            self.open[-1][1] += flops
        self.calls[module] = self.calls.get(module, 0) + 1
        outputs = [t for t in tree_leaves(output) if isinstance(t, torch.Tensor)]
        fresh = [p for p in module.parameters(recurse=False) if id(p) not in self.counted]
        self.counted.update(map(id, fresh))
        own = sum(p.numel() for p in fresh), flops - in_children, sum(map(self._new_bytes, outputs))
        if any(own) or not any(True for _ in module.children()):
            shape = tuple(outputs[0].shape) if outputs else ()
            field = field_of(outputs[0]) if outputs else (None, None)
            name, kind = self.names[module], type(module).__name__
            self.rows.append(Row(name, kind, shape, *own, *field, call=self.calls[module]))

    def unused(self) -> dict[str, int]:
        """Modules without a call that have parameters of their own which no row counts."""
        found = {}
        for module, name in self.names.items():
            left = sum(p.numel() for p in module.parameters(recurse=False) if id(p) not in self.counted)
            if left:
                found[name] = left
        return found

    def _new_bytes(self, tensor: torch.Tensor) -> int:
        address = tensor.untyped_storage()._cdata
        if address in self.held:
            return 0
        self.held[address] = tensor
        return tensor.numel() * tensor.element_size()


def _zeros(model, input_size, batch_size: int) -> torch.Tensor:
    if not isinstance(model, nn.Module):
        raise CourseError(
            f"model is a {type(model).__name__}. Valid: a torch.nn.Module, built, not its class."
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in model.parameters()):
        raise CourseError("the model has lazy layers without weights yet. Run one batch through it first.")
    sizes = tuple(input_size) if isinstance(input_size, tuple | list | torch.Size) else ()
    if not sizes or not all(isinstance(n, int) and n > 0 for n in (*sizes, batch_size)):
        raise CourseError(
            f"input_size is {input_size!r} and batch_size {batch_size!r}. Valid: the shape of one input without the "
            "batch, such as (3, 224, 224), and a whole number from 1."
        )
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(batch_size, *sizes, dtype=like.dtype, device=like.device)


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or ["no message"])[0][:200]
    return text if text.endswith(".") else f"{text}."
