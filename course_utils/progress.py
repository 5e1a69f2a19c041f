"""Progress of a training run: a bar in a terminal, one line that changes in a notebook, a line an epoch elsewhere."""

from __future__ import annotations

import sys
import time

from course_utils.history import summary


class Progress:
    """Shows how far a run is; costs a few microseconds a step and never reads a number from the device itself.

    In a terminal it is a tqdm bar on standard error. In a notebook it is one output that is replaced as the run goes
    on, so a saved notebook holds the last epoch's line and nothing on standard error. Elsewhere (a pipe, a log file)
    it prints a line an epoch. ``enabled=False`` shows nothing.
    """

    def __init__(self, epochs: int, steps: int, enabled: bool = True, refresh: float = 0.3):
        self.epochs, self.steps, self.refresh = epochs, steps, refresh
        self.mode = _mode() if enabled else "off"
        self.shown, self.bar, self.handle = 0.0, None, None

    def start_epoch(self, epoch: int, done: int) -> None:
        """Begin the epoch (from 1), with ``done`` of its steps behind it."""
        self.epoch = epoch
        if self.mode == "bar":
            from tqdm import tqdm

            if self.bar is None:
                self.bar = tqdm(total=self.steps, mininterval=self.refresh, dynamic_ncols=True, leave=False)
            self.bar.reset(total=self.steps)
            self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
            self.bar.update(done)

    def step(self, done: int, loss: float | None) -> None:
        """Note that ``done`` steps of the epoch are behind it; draw at most a few times a second."""
        if self.mode == "bar":
            if loss is not None and time.monotonic() - self.shown > self.refresh:
                self.shown = time.monotonic()
                self.bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self.bar.update(1)
        elif self.mode == "notebook" and time.monotonic() - self.shown > self.refresh:
            self.shown = time.monotonic()
            filled = 24 * done // self.steps
            text = f"epoch {self.epoch}/{self.epochs} {'█' * filled}{'░' * (24 - filled)} {done}/{self.steps}"
            self._show(text if loss is None else f"{text} · loss {loss:.4g}")

    def end_epoch(self, row: dict) -> None:
        """Show the finished epoch's numbers."""
        line = summary(row, self.epochs)
        if self.mode == "bar":
            self.bar.write(f"{line} · {row['seconds']:.1f} s", file=sys.stderr)
        elif self.mode == "notebook":
            self._show(line)
        elif self.mode == "lines":
            print(line, flush=True)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if self.mode == "bar" and self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        elif self.mode != "off":
            print(line, flush=True)

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()

    def _show(self, text: str) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": text}, raw=True)


def _mode() -> str:
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        if getattr(shell, "kernel", None) is not None:
            return "notebook"
    return "bar" if sys.stderr is not None and sys.stderr.isatty() else "lines"
