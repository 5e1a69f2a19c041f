"""Run an answer where it can do no harm: in a thread, on copies, with a time limit and with its prints held back."""

from __future__ import annotations

import copy
import ctypes
import inspect
import random
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from course_utils.exercises.compare import difference

PRINTED = 1000  # characters of an answer's own prints that are shown
GRACE = 1.0  # seconds in which a late answer is asked to stop, again and again


@dataclass
class Outcome:
    """What one call gave: a value or an exception, and which argument it changed (its position, from 1)."""

    value: Any = None
    error: BaseException | None = None
    changed: int | str | None = None

    def difference(self, got: Outcome, tolerance: float | None = None) -> str | None:
        """Say how ``got`` differs from this outcome; two exceptions agree when they are of one type."""
        if self.error is None and got.error is None:
            return difference(self.value, got.value, tolerance)
        if type(self.error) is type(got.error):
            return None
        if got.error is not None:
            return f"It raises {type(got.error).__name__}."
        return f"A {type(self.error).__name__} is expected here, and yours raises none."


@dataclass
class Trial:
    """All outcomes of an answer, in the order of its cases; fewer than cases where time ran out."""

    outcomes: list[Outcome]
    expired: bool = False
    abandoned: bool = False
    printed: str = ""


def call(function, case, observe=None, catch=Exception) -> Outcome:
    """Call ``function`` on copies of a case's arguments, with fixed random seeds; what it raises is an outcome too."""
    args, kwargs = copied(case.args), copied(case.kwargs)
    _seed()
    try:
        value = function(*args, **kwargs)
        if inspect.iscoroutine(value):
            value.close()
        if observe is not None:
            value = observe(value)
    except catch as error:
        return Outcome(error=error)
    before = [*enumerate(case.args, 1), *case.kwargs.items()]
    after = [*args, *kwargs.values()]
    changed = [key for (key, old), new in zip(before, after, strict=True) if _changed(old, new)]
    return Outcome(value=value, changed=changed[0] if changed else None)


def trial(function, cases, seconds: float, observe=None) -> Trial:
    """Run ``function`` on all ``cases`` in a thread of its own, for at most ``seconds``.

    A thread that is late gets ``SystemExit`` raised in it, many times, since a bare ``except`` may swallow it. One that
    still goes on is left behind as a daemon, without a voice. ``KeyboardInterrupt`` reaches the caller.
    """
    outcomes: list[Outcome] = []
    stop = threading.Event()

    def work():
        for case in cases:
            outcome = call(function, case, observe, catch=BaseException)  # an answer may also call sys.exit
            if stop.is_set():
                return
            outcomes.append(outcome)

    with _deep_stack():
        thread = _Runner(work)
        with _held_prints(thread) as printed:
            thread.start()
            deadline = time.monotonic() + seconds
            try:
                _wait(thread, deadline)
            finally:
                stop.set()
                done = list(outcomes)
                thread.stop(GRACE)
    return Trial(done, len(done) < len(cases), thread.is_alive(), _cut(printed))


def copied(value):
    """A deep copy that also works for tensors inside a graph and for random generators."""
    if isinstance(value, (tuple, list)):
        items = [copied(v) for v in value]
        return type(value)(items) if type(value) in (tuple, list) else copy.deepcopy(value)
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if hasattr(value, "detach") and hasattr(value, "requires_grad_") and hasattr(value, "dtype"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if hasattr(value, "clone_state"):
        return value.clone_state()
    return copy.deepcopy(value)


def _changed(old, new) -> bool:
    try:
        return difference(old, new, 0.0) is not None and type(old).__eq__ is not object.__eq__
    except Exception:  # an argument that cannot be compared is not watched
        return False


def _wait(thread, deadline: float) -> None:
    # Short waits: on Windows a lock that waits cannot be interrupted.
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(0.05, left))


_RAISE = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)


def _raise_in(thread, depth: int) -> None:
    """Raise SystemExit in a thread; when it is caught, raise it again in the handler, ``depth`` times.

    A loop around ``try: … except: pass`` catches one exception, and leaves by the next. The exception's ``__init__`` is
    the C function itself, so that no Python code runs between the catch and the next exception.
    """
    # SystemExit, since a thread that ends with it prints no traceback.
    raise_ = _RAISE(("PyThreadState_SetAsyncExc", ctypes.pythonapi))
    ident, kind = ctypes.c_ulong(thread.ident), SystemExit
    for _ in range(depth):
        again = partial(raise_, ident, ctypes.py_object(kind))
        kind = type("SystemExit", (SystemExit,), {"__init__": staticmethod(again)})
    raise_(ident, ctypes.py_object(kind))


class _Runner(threading.Thread):
    """A daemon thread that can be told to stop."""

    late = left = raising = False

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work = work

    def run(self, levels: int = 8) -> None:
        """Do the work, and swallow what ``stop`` raises: a level takes one exception, and what comes in its own last
        lines is left to the next. One that escaped them all would end the thread before ``threading`` takes it off its
        list.
        """
        try:
            self.run(levels - 1) if levels else self._work()
        except SystemExit:
            pass
        self.left = True
        while self.raising:
            time.sleep(0)
        time.sleep(0)  # here a waiting exception is raised

    def stop(self, grace: float) -> None:
        """Raise SystemExit in it until it leaves its work, for at most ``grace`` seconds."""
        self.late = True
        end, depth = time.monotonic() + grace, 0
        while self.is_alive() and time.monotonic() < end:
            self.raising = True  # said before the look at `left`: the thread waits for what it may still get
            try:
                if not self.left:
                    _raise_in(self, depth)
                    depth = (depth + 1) % 4
            finally:
                self.raising = False
            self.join(0.005)


def _seed() -> None:
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(0)


@contextmanager
def same_randomness():
    """Leave the reader's random generators as they were."""
    python, numpy, torch = random.getstate(), np.random.get_state(), sys.modules.get("torch")
    state = torch.default_generator.get_state() if torch else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch:
            torch.default_generator.set_state(state)


@contextmanager
def _deep_stack():
    """Give new threads room for Python's whole recursion limit; some systems give them 512 kB."""
    try:
        old = threading.stack_size(32 * 2**20)
    except (ValueError, RuntimeError):
        yield
        return
    try:
        yield
    finally:
        threading.stack_size(old)


class _Router:
    """A stream that holds back what some threads write, and passes on what the others write."""

    def __init__(self, stream):
        self.stream, self.held = stream, {}

    def write(self, text):
        thread = threading.current_thread()
        kept = self.held.get(thread)
        if kept is None:
            return self.stream.write(text)
        if thread.late:  # a loop that catches every exception ends at its next print
            raise SystemExit
        if len(kept) <= PRINTED:
            kept.extend(text[: PRINTED + 1 - len(kept)])
        return len(text)

    def flush(self):
        if threading.current_thread() not in self.held:
            self.stream.flush()

    def __getattr__(self, name):
        return getattr(self.stream, name)


# Never freed: print() in another thread may still use a stream that sys.stdout no longer names, and would crash.
_routers: list[_Router] = []


def _router(stream) -> _Router:
    for router in _routers:
        if stream in (router, router.stream):
            return router
    _routers.append(_Router(stream))
    return _routers[-1]


@contextmanager
def _held_prints(thread):
    kept: list[str] = []
    routers = sys.stdout, sys.stderr = _router(sys.stdout), _router(sys.stderr)
    for router in routers:
        router.held = {t: k for t, k in router.held.items() if t.is_alive()} | {thread: kept}
    try:
        yield kept
    finally:
        # A thread that could not be stopped keeps printing: then the routers stay.
        if not thread.is_alive() and all(len(router.held) == 1 for router in routers):
            sys.stdout, sys.stderr = (router.stream for router in routers)


def _cut(kept: list[str]) -> str:
    end = "\n… (the rest of the output is left out)\n" if len(kept) > PRINTED else ""
    return "".join(kept[:PRINTED]) + end
