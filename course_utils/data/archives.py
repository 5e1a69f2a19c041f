"""Unpack a download without trusting it: no member leaves its folder, and no byte is written past the card's size."""

from __future__ import annotations

import errno
import gzip
import hashlib
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from course_utils.data.cards import File

# What the readers of these formats raise for bytes that are not as they should be.
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile)
DAMAGED += (ValueError, IndexError, struct.error, RuntimeError)
CHUNK = 1 << 20


class ArchiveError(Exception):
    """A download that is not what the card says: a wrong file, a damaged or an unsafe archive."""


def unpack(archive: Path, kind: str, wanted: Mapping[str, File], folder: Path, limit: int) -> list[str]:
    """Write the ``wanted`` files of ``archive`` below ``folder`` and return their paths; each matches its hash.

    ``kind`` is ``none``, ``gz`` (both hold the one wanted file), ``zip`` or ``tar``. In an archive, a member is
    wanted if its path, or its path without some leading folders, is in ``wanted``; other members are not unpacked.
    ``limit`` is the number of bytes that all members together may have.

    Raises :class:`ArchiveError` for a wrong hash, a damaged archive, a member with an absolute path, a ``..`` or a
    link in place of a wanted file, and as soon as the archive gives more bytes than it may.
    """
    try:
        if kind == "zip":
            return _unzip(archive, wanted, folder, limit)
        if kind == "tar":
            return _untar(archive, wanted, folder, limit)
        [name] = wanted
        with _gunzipped(archive) if kind == "gz" else open(archive, "rb") as stream:
            _write(stream, name, wanted[name], folder, limit)
        return [name]
    except DAMAGED as error:
        raise ArchiveError(_damage(archive, kind, error)) from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # bz2 at foreign bytes; zipfile sent to a negative position
            raise ArchiveError(_damage(archive, kind, error)) from None
        raise


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def mismatch(promised: File, sha256: str, n_bytes: int) -> str | None:
    """What is wrong with a file of this hash and length, as words that quote both hashes; ``None`` if it is right.

    >>> mismatch(File("ab", 2), "cd", 3)
    'sha256 expected ab, found cd; length expected 2 bytes, found 3'
    """
    if sha256 == promised.sha256:
        return None
    text = f"sha256 expected {promised.sha256}, found {sha256}"
    if promised.bytes is not None and promised.bytes != n_bytes:
        text += f"; length expected {promised.bytes} bytes, found {n_bytes}"
    return text


def _gunzipped(archive):
    """A gzip file's content; of a file that a server has unpacked on the way (Content-Encoding: gzip), the file's own."""
    with open(archive, "rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    return gzip.open(archive) if is_gzip else open(archive, "rb")


def _damage(archive, kind, error):
    what = f"{archive.stat().st_size:,} bytes with sha256 {digest(archive)}"
    return f"the {kind} archive is damaged or cut short ({type(error).__name__}: {error}); found {what}"


def _unzip(archive, wanted, folder, limit):
    done = []
    with zipfile.ZipFile(archive) as bundle:
        members = bundle.infolist()
        total = sum(member.file_size for member in members)
        if total > limit:
            raise ArchiveError(f"the archive unpacks to {total:,} bytes; the card allows {limit:,}")
        for member in members:
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            name = _wanted_name(member.orig_filename, wanted, is_link)
            if name and name not in done and not member.is_dir():
                with bundle.open(member) as stream:
                    _write(stream, name, wanted[name], folder, limit)
                done.append(name)
    return done


def _untar(archive, wanted, folder, limit):
    done = []
    with _Counted(archive, limit) as stream, tarfile.open(fileobj=stream, mode="r|") as bundle:
        for member in bundle:
            name = _wanted_name(member.name, wanted, not (member.isfile() or member.isdir()))
            if name and name not in done and member.isfile():
                _write(bundle.extractfile(member), name, wanted[name], folder, limit)
                done.append(name)
    return done


def _wanted_name(member: str, wanted, is_link: bool) -> str | None:
    """The wanted path that a member stands for; raises :class:`ArchiveError` if the member is unsafe."""
    path = member.replace("\\", "/")
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or ":" in path.partition("/")[0] or "\0" in path:
        raise ArchiveError(
            f"the archive is unsafe: its member {member!r} lies outside the folder it is unpacked into"
        )
    for start in range(len(parts)):
        name = "/".join(parts[start:])
        if name in wanted:
            if is_link:
                raise ArchiveError(
                    f"the archive is unsafe: its member {member!r} is a link or a device, not a file"
                )
            return name
    return None


def _write(stream, name, promised, folder, limit):
    """Copy a stream to ``folder/name``, hashing on the way; stop at the first byte past the promised length."""
    limit = limit if promised.bytes is None else promised.bytes
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    sha, count = hashlib.sha256(), 0
    with open(path, "wb") as out:
        while chunk := stream.read(CHUNK):
            count += len(chunk)
            if count > limit:
                raise ArchiveError(f"{name} unpacks to more than the {limit:,} bytes that the card says")
            sha.update(chunk)
            out.write(chunk)
    if problem := mismatch(promised, sha.hexdigest(), count):
        raise ArchiveError(f"{name}: {problem}")


class _Counted:
    """A tar file's bytes after decompression (by gzip, bzip2, xz or none), with an end at ``limit``."""

    def __init__(self, archive: Path, limit: int):
        import bz2

        with open(archive, "rb") as stream:
            start = stream.read(6)
        openers = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))
        opener = next((opener for magic, opener in openers if start.startswith(magic)), open)
        self.stream, self.left, self.limit = opener(archive, "rb"), limit, limit

    def read(self, n: int) -> bytes:
        data = self.stream.read(n)
        self.left -= len(data)
        if self.left < 0:
            raise ArchiveError(
                f"the archive unpacks to more than {self.limit:,} bytes, which is all that the card allows"
            )
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
