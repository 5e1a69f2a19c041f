"""One download over HTTP by pooch: tried again after a passing fault, never without end, every failure in words."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from course_utils.data.archives import ArchiveError
from course_utils.errors import DataError

CONNECT_TIMEOUT = 10.0  # seconds to reach a server
ATTEMPTS = 3  # at a server that answers 5xx, cuts the connection or stalls
PAUSE = 1.0  # seconds before the second attempt, doubled before the third


def download(url: str, path: Path, limit: int) -> Path:
    """Download by pooch, again after a passing fault; raises :class:`ArchiveError` with the reason in words."""
    import pooch
    import requests

    timeout = _timeout()
    for attempt in range(1, ATTEMPTS + 1):
        bar = _Meter(url, path, limit)
        get = pooch.HTTPDownloader(bar, chunk_size=1 << 14, timeout=(min(CONNECT_TIMEOUT, timeout), timeout))
        try:
            get(url, path, None)
            return path
        except requests.RequestException as error:
            problem, passing = _explain(error, timeout)
        except ValueError as error:
            problem, passing = f"the server's answer is malformed ({error})", False
        finally:
            bar.close()
        if not passing or attempt == ATTEMPTS:
            raise ArchiveError(problem + (f", {attempt} times" if attempt > 1 else ""))
        time.sleep(PAUSE * 2 ** (attempt - 1))
    raise AssertionError


def _explain(error, timeout: float) -> tuple[str, bool]:
    """What a failed request means, and whether it may pass if one tries again."""
    import requests

    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return f"the server answered HTTP {status}", status >= 500 or status in (408, 429)
    if isinstance(error, requests.TooManyRedirects):
        return "the server redirects in a loop", False
    if isinstance(error, requests.ConnectTimeout):
        return "the server could not be reached in time", False
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"the server sent nothing for {timeout:g} s", True
    reason = getattr(error.args[0], "reason", error) if error.args else error
    if type(reason).__name__ in ("NewConnectionError", "NameResolutionError", "ProxyError", "SSLError"):
        return f"the server cannot be reached ({type(reason).__name__})", False
    return f"the download broke off ({type(reason).__name__})", not isinstance(error, ValueError)


def _timeout() -> float:
    """Seconds without a byte after which a server counts as stalled: ``COURSE_TIMEOUT``, else 30."""
    text = os.environ.get("COURSE_TIMEOUT") or "30"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise DataError(
            f"COURSE_TIMEOUT is {text!r}. Valid: a number of seconds above 0, a day (86400) at most."
        )
    return seconds


class _Meter:
    """What pooch calls a progress bar: shows one where somebody watches, and stops a download without end."""

    def __init__(self, url: str, path: Path, limit: int):
        self.name, self.path, self.limit, self.total, self.bar = url.rsplit("/", 1)[-1], path, limit, 0, None

    def update(self, _) -> None:
        """Note the length of the file so far; pooch's own count takes each chunk for a full one."""
        from tqdm.auto import tqdm

        size = self.path.stat().st_size
        if size > self.limit:
            raise ArchiveError(
                f"the download is longer than {self.limit:,} bytes, which is all that the card allows"
            )
        if self.bar is None:
            self.bar = tqdm(
                total=self.total or None, unit="B", unit_scale=True, desc=self.name, disable=_unwatched()
            )
        self.bar.update(size - self.bar.n)

    def reset(self) -> None:
        """Keep the bar where it is: it already counts bytes."""

    def close(self) -> None:
        """Close the bar, if one was shown."""
        if self.bar is not None:
            self.bar.close()


def _unwatched() -> bool:
    """Whether neither a terminal nor a notebook shows the bar."""
    return not (sys.stderr.isatty() or "ipykernel" in sys.modules)
