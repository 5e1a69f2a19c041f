"""Bring a dataset's files here: cache, then mirror, then public source; each file is verified before it can be seen.

Files are downloaded and unpacked in a temporary folder inside the cache, hashed there, and moved to their place one
by one by an atomic rename. A process that is killed leaves at most such a temporary folder, which the next fetch of
the same dataset clears away. The lock only saves two processes from doing the work twice.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from course_utils import runtime
from course_utils.data.archives import ArchiveError, digest, mismatch, unpack
from course_utils.data.cards import Card
from course_utils.data.cards import card as read_card
from course_utils.data.download import download
from course_utils.errors import DataError
from course_utils.paths import ROOT

NEEDS = {"white_cells": ("bccd",)}  # a table about the pictures of another set
LOCK_TIMEOUT = 900.0  # seconds to wait for another process that fetches the same dataset


def fetch(name: str | Card, source: str = "real") -> str:
    """Make a dataset's files available and return where they come from.

    Returns ``"package"``, ``"cache"``, ``"mirror"`` or ``"public"``; with ``source="embedded"`` nothing is fetched
    and the card's stand-in is named. Raises :class:`DataError` if the real files cannot be had.

    >>> fetch("digits")
    'package'
    """
    card = name if isinstance(name, Card) else read_card(name)
    return card.embedded if source == "embedded" and not card.package else locate(card)[1]


def locate(card: Card) -> tuple[Path, str]:
    """The folder that holds every file of ``card``, verified now, and its source, as :func:`fetch` names it."""
    for other in NEEDS.get(card.name, ()):
        locate(read_card(other))
    if card.package:
        folder = package_folder(card)
        for file, problem in _wrong(card, folder).items():
            raise DataError(_package_message(card, file, problem))
        return folder, "package"
    folder = runtime.cache_dir() / card.name
    if not _wrong(card, folder):
        return folder, "cache"
    with _lock(folder) as alone:
        wrong = _wrong(card, folder)  # another process may have fetched them in the meantime
        if not wrong:
            return folder, "cache"
        return folder, _fetch(card, folder, wrong, alone)


def verify(name: str | Card) -> list[tuple[str, bool, str]]:
    """Compare the files that are here with the card: a list of (file, is it right, message).

    The list is empty if nothing of the dataset has been fetched. Nothing is changed or fetched.

    >>> verify("digits")
    [('digits.csv.gz', True, 'ok')]
    """
    card = name if isinstance(name, Card) else read_card(name)
    folder = package_folder(card) if card.package else runtime.cache_dir() / card.name
    if not card.package and not any((folder / file).exists() for file in card.files):
        return []
    wrong = _wrong(card, folder)
    return [(file, file not in wrong, wrong.get(file, "ok")) for file in card.files]


def package_folder(card: Card) -> Path:
    """The folder inside an installed package that holds the data; the package is not imported."""
    source = card.package
    spec = importlib.util.find_spec(source["module"])
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"{card.name}: its data is in the package {source['package']!r}, which is not installed here. "
            f"Install it: pip install {source['package']}"
        )
    return Path(spec.submodule_search_locations[0], source["folder"])


def _wrong(card: Card, folder: Path) -> dict[str, str]:
    """The files of a card that are missing or differ, each with the reason in words."""
    problems = {}
    for file, promised in card.files.items():
        path = folder / file
        try:
            problem = mismatch(promised, digest(path), path.stat().st_size)
        except (FileNotFoundError, NotADirectoryError):
            problem = "missing"
        except OSError as error:
            problem = f"cannot be read: {error}"
        if problem:
            problems[file] = problem
    return problems


def _fetch(card: Card, folder: Path, wrong: dict[str, str], alone: bool) -> str:
    """Fetch the files in ``wrong`` into ``folder`` and return the last source that gave one."""
    tried = [f"cache {folder / file}: {problem}" for file, problem in wrong.items() if problem != "missing"]
    left, used, cure = dict.fromkeys(wrong), "", "Check the connection and try again"
    try:
        for file in wrong:
            (folder / file).unlink(missing_ok=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear_temporary(folder, alone)
        with tempfile.TemporaryDirectory(
            prefix=f".{card.name}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as temp:
            for source in card.sources:
                used = _fetch_from(card, source, folder, left, Path(temp), tried) or used
                if left and "file" in source and source["file"] in left:
                    break  # one file that cannot be had is enough: the others would be fetched for nothing
    except OSError as error:
        tried.append(f"cache {folder.parent}: it cannot be written ({error.strerror or error})")
        cure = "Free some space there, or set COURSE_CACHE to a folder that can be written, and try again"
    if left:
        raise DataError(_message(card, folder, list(left), tried, cure))
    return used


def _fetch_from(
    card: Card, source: dict, folder: Path, left: dict[str, None], temp: Path, tried: list[str]
) -> str:
    """Fetch what one source holds of the files in ``left`` and take them out of it; failures go to ``tried``."""
    used = ""
    limit = source.get("unpacked", 2 * card.size + 10_000_000)
    for kind, address in _places(source):
        wanted = {
            file: card.files[file]
            for file in ([source["file"]] if "file" in source else left)
            if file in left
        }
        if not wanted:
            break
        work = Path(tempfile.mkdtemp(dir=temp))
        try:
            archive = (
                _readable(address)
                if isinstance(address, Path)
                else download(address, work / "download", limit)
            )
            done = unpack(archive, source["unpack"], wanted, work / "files", limit)
        except ArchiveError as error:
            tried.append(f"{kind} {runtime.without_login(address)}: {error}")
            continue
        for file in done:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(work / "files" / file, folder / file)
            del left[file]
            used = kind
        if absent := [file for file in wanted if file not in done]:
            tried.append(f"{kind} {runtime.without_login(address)}: it does not hold {', '.join(absent[:3])}")
    return used


def _readable(path: Path) -> Path:
    try:
        with open(path, "rb"):
            return path
    except OSError as error:
        raise ArchiveError(f"it cannot be read ({error.strerror})") from None


def _places(source: dict):
    """Where a source can be had, in order: a path or URL on the mirror, if one is set, then the public URL."""
    if mirror := runtime.mirror():
        if mirror.lower().startswith(("http://", "https://")):
            yield "mirror", f"{mirror.rstrip('/')}/{source['mirror']}"
        else:
            folder = Path(mirror).expanduser()
            # A relative path is meant from the project's root, but kernels and tests start elsewhere.
            yield "mirror", (folder if folder.exists() else ROOT / folder) / source["mirror"]
    yield "public", source["url"]


@contextmanager
def _lock(folder: Path):
    """Hold the dataset's lock, which the system releases when a process dies; give whether it is held.

    On a read-only or lockless file system the work goes on without it: the atomic renames keep the cache right.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder.parent / f".{folder.name}.lock")
    held = False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOCK_TIMEOUT)
        held = True
    except Timeout:
        raise DataError(
            f"{folder.name}: another process has been fetching it for {LOCK_TIMEOUT:g} s and holds {lock.lock_file}. "
            "Wait for it or end it, then try again."
        ) from None
    except (OSError, NotImplementedError):
        pass
    try:
        yield held
    finally:
        if held:
            lock.release()


def _clear_temporary(folder: Path, alone: bool) -> None:
    """Remove what killed processes left. Without the lock a folder may be in use: remove only what is a day old."""
    for stale in folder.parent.glob(f".{folder.name}-*"):
        if alone or time.time() - stale.stat().st_mtime > 86_400:
            shutil.rmtree(stale, ignore_errors=True)


def _message(card: Card, folder: Path, left: list[str], tried: list[str], cure: str) -> str:
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    mirrored = next(
        (s["mirror"] for s in card.sources if s.get("file", left[0]) == left[0]), card.sources[0]["mirror"]
    )
    return "\n".join(
        [
            f"{card.name}: the file {left[0]}{more} could not be had.",
            f"  its sha256 must be {card.files[left[0]].sha256}",
            *(f"  {line}" for line in tried[:8]),
            f"{cure}, or put the file at {folder / left[0]}, or set COURSE_MIRROR to a folder or address that holds "
            f"{mirrored}, or set DATA_SOURCE=embedded ({card.embedded}).",
        ]
    )


def _package_message(card: Card, file: str, problem: str) -> str:
    package = card.package["package"]
    return (
        f"{card.name}: the file {file} in the installed package {package!r} is not the one on the card: {problem}. "
        f"Install the package again in the version of requirements.lock: pip install --force-reinstall {package}"
    )
