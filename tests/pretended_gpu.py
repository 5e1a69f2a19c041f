"""A pretended GPU, on which a machine without one finds what most often breaks on a real one: tensors left behind.

A tensor that is moved to ``"cuda"`` stays where it is in the processor's memory and computes there, but from then on it refuses what a
device refuses: to be mixed with the processor's tensors, to be read as a NumPy array, to be drawn with the processor's
generator. Everything else is as on the processor; half precision is switched off. So it says nothing about kernels,
rounding, memory or speed, which is what the tests marked ``gpu`` are for.

``install()`` is called once, before anything is computed; ``in_kernels(folder)`` has every kernel do it. Model code needs no change: :class:`Pretended` is a tensor whose
results are ``Pretended`` too, and modules, optimizers, checkpoints and copies take it as it is.
"""

import threading
from pathlib import Path

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

DEVICE = torch.device("cuda", 0)
Tensor = torch.Tensor

# Called with tensors of both devices, these do not compute with them.
ACROSS = {"copy_", "set_", "backward", "type_as", "__get__", "__set__", "_has_compatible_shallow_copy_type"}
INDEXING = {"__getitem__", "__setitem__", "index_put_"}
# Called with tensors of the processor, these take a single number of the device; others take one of the processor on the device.
READ_A_NUMBER = {"__getitem__", "__setitem__", "fill_", "masked_fill", "masked_fill_"}
JOINING = {"cat", "concat", "concatenate", "stack", "hstack", "vstack"}


class Pretended(Tensor):
    """A tensor that says it is on the GPU."""

    exist = False  # one, since the process began

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if function == Tensor.device.__get__:
            return DEVICE
        if function == Tensor.is_cuda.__get__:
            return True
        if function == Tensor.is_cpu.__get__:
            return False
        if function == Tensor.grad.__get__:
            with torch._C.DisableTorchFunction():
                return _there(function(*args))
        if name in ("to", "cpu", "cuda"):
            return _moved(name, *args, **kwargs)
        if name in ("numpy", "__array__", "pin_memory"):
            raise TypeError(f"pretended GPU: {name} of a tensor on cuda:0. Use .cpu() first.")
        if name == "__format__":
            return Pretended.__format__(*args)
        _refuse_mixtures(name, args, kwargs)
        if name == "copy_" and not isinstance(args[0], Pretended):
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **kwargs)
        return super().__torch_function__(function, types, args, kwargs)

    def __array__(self, *_, **__):
        raise TypeError("pretended GPU: NumPy cannot read a tensor on cuda:0. Use .cpu() first.")

    def __format__(self, spec):
        with torch._C.DisableTorchFunction():
            return format(self.detach().as_subclass(Tensor), spec)

    def __reduce_ex__(self, protocol):
        with torch._C.DisableTorchFunction():
            return self.detach().as_subclass(Tensor).clone().__reduce_ex__(protocol)

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            with torch._C.DisableTorchFunction():
                # With its strides, as copy.deepcopy does: where an axis has one element, clone() would choose others.
                values = torch.empty_strided(self.size(), self.stride(), dtype=self.dtype).copy_(
                    self.detach()
                )
                values = values.as_subclass(Pretended)
                learns, slope = self.requires_grad, self.grad
                copied = None if slope is None else slope.detach().clone()
            own = (
                nn.Parameter(values, learns)
                if isinstance(self, nn.Parameter)
                else values.requires_grad_(learns)
            )
            if copied is not None:
                own.grad = copied
            memo[id(self)] = own
        return memo[id(self)]


class Factories(TorchFunctionMode):
    """Gives ``torch.zeros(..., device="cuda")`` and its like a pretended tensor, and moves tensors."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if name in ("to", "cpu", "cuda") and args and isinstance(args[0], Tensor):
            return _moved(name, *args, **kwargs)
        if name == "pin_memory" and not isinstance(args[0], Pretended):
            return args[0]
        device = kwargs.get("device")
        if device is not None and torch.device(device).type == "cuda":
            if kwargs.get("generator") is not None:
                raise RuntimeError(f"pretended GPU: {name} on cuda:0 with a generator of the processor.")
            plain = [_here(arg) if isinstance(arg, Tensor) else arg for arg in args]
            return _there(function(*plain, **{**kwargs, "device": "cpu"}))
        return function(*args, **kwargs)


def _there(value):
    """A tensor, or the tensors of a tuple, as pretended ones that share its memory."""
    if isinstance(value, tuple | list):
        return type(value)(map(_there, value))
    if isinstance(value, Tensor) and not isinstance(value, Pretended):
        Pretended.exist = True
        with torch._C.DisableTorchFunction():
            return value.as_subclass(Pretended)
    return value


def _here(tensor: Tensor) -> Tensor:
    with torch._C.DisableTorchFunction():
        return tensor.as_subclass(Tensor) if isinstance(tensor, Pretended) else tensor


def _moved(name: str, tensor: Tensor, *args, **kwargs) -> Tensor:
    """What ``tensor.to(...)``, ``.cpu()`` or ``.cuda()`` gives. It shares the memory, so that every sum rounds as before."""
    device, dtype = {"cpu": "cpu", "cuda": "cuda"}.get(name, kwargs.get("device")), kwargs.get("dtype")
    for arg in args:
        if isinstance(arg, str | torch.device):
            device = arg
        elif isinstance(arg, torch.dtype):
            dtype = arg
        elif isinstance(arg, Tensor):
            device, dtype = arg.device, arg.dtype
    was = isinstance(tensor, Pretended)
    becomes = was if device is None else torch.device(device).type == "cuda"
    Pretended.exist |= becomes
    options = {"dtype": dtype or tensor.dtype, "copy": kwargs.get("copy", False)}
    if kwargs.get("memory_format"):
        options["memory_format"] = kwargs["memory_format"]
    with torch._C.DisableTorchFunctionSubclass():
        result = Tensor.to(tensor, **options)
        return (
            tensor
            if result is tensor and was == becomes
            else result.as_subclass(Pretended if becomes else Tensor)
        )


def _tensors(values):
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


def _refuse_mixtures(name: str, args, kwargs) -> None:
    """Raise where torch would: on two devices in one operation, a single number apart, or with a wrong generator."""
    if name in ACROSS:
        return
    with torch._C.DisableTorchFunction():
        found = list(_tensors([*args, *kwargs.values()]))
        there = [t for t in found if isinstance(t, Pretended)]
        here = [t for t in found if not isinstance(t, Pretended)]
        if name == "__setitem__" and not list(_tensors([args[1]])):  # a copy into a part
            return
        if name in INDEXING and isinstance(
            args[0], Pretended
        ):  # takes indices of the processor, but no values
            here = [t for t in args[2:] if isinstance(t, Tensor) and not isinstance(t, Pretended) and t.ndim]
            mixed = bool(here)
        else:
            numbers = here if name not in READ_A_NUMBER else there
            single = name not in JOINING and all(not t.ndim for t in numbers)
            mixed = bool(there and here) and not single
        if mixed:
            places = ", ".join(
                f"{'cuda' if isinstance(t, Pretended) else 'cpu'} {tuple(t.shape)}" for t in found
            )
            raise RuntimeError(f"pretended GPU: {name} of tensors on different devices: {places}.")
        if there and kwargs.get("generator") is not None:
            raise RuntimeError(f"pretended GPU: {name} on cuda:0 with a generator of the processor.")


def _apply(module: nn.Module, change, recurse: bool = True) -> nn.Module:
    """What ``Module.to`` does to parameters and buffers. A parameter stays the same object, as optimizers rely on it."""
    for child in module.children() if recurse else ():
        child._apply(change)
    for parameter in module._parameters.values():
        if parameter is None:
            continue
        with torch.no_grad():
            changed = change(parameter)
            slope = None if parameter.grad is None else _here(change(parameter.grad))
        moved = isinstance(changed, Pretended)
        with torch._C.DisableTorchFunction():
            Tensor.data.__set__(parameter, changed.detach().as_subclass(Tensor))
            parameter.__class__ = Pretended if moved else nn.Parameter
            parameter._is_param = True
            parameter.grad = slope
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = change(buffer)
    return module


def install() -> None:
    """Make torch believe that there is one GPU, in this process and all its threads."""
    Factories().__enter__()
    run_thread, gradients, autocast = threading.Thread.run, torch.autograd.grad, torch.autocast.__init__

    def run(thread):
        with Factories():
            run_thread(thread)

    def grad(outputs, inputs, *args, **kwargs):
        found = gradients(outputs, inputs, *args, **kwargs)
        return _there(found) if any(isinstance(t, Pretended) for t in _tensors([outputs, inputs])) else found

    def no_half_precision(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if device_type == "cuda":
            device_type, dtype, enabled = "cpu", torch.bfloat16, False
        autocast(self, device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)

    threading.Thread.run, torch.autograd.grad, torch.autocast.__init__ = run, grad, no_half_precision
    nn.Module._apply = _apply
    torch.optim.Optimizer._accelerator_graph_capture_health_check = lambda self: None
    answers = {
        "is_available": True, "device_count": 1, "current_device": 0, "is_bf16_supported": True, "set_device": None,
        "synchronize": None, "get_device_name": "a pretended GPU", "get_device_capability": (9, 0), "manual_seed_all": None,
        "get_rng_state": torch.zeros(1, dtype=torch.uint8), "set_rng_state": None,
        "is_current_stream_capturing": False, "empty_cache": None,
    }  # fmt: skip
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    torch.cuda.is_initialized = lambda: Pretended.exist


def in_kernels(folder: Path) -> dict[str, str]:
    """Environment in which the Jupyter kernels that are started install it first. ``folder`` holds their settings."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    lines = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport pretended_gpu\npretended_gpu.install()\n"
    (startup / "gpu.py").write_text(lines, encoding="utf-8")
    return {"IPYTHONDIR": str(folder)}
