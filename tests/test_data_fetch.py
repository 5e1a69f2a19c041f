"""Fetching against a real HTTP server on loopback, with everything that can go wrong on the way."""

import contextlib
import errno
import gzip
import hashlib
import importlib
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from course_utils.data.archives import ArchiveError, unpack
from course_utils.data.cards import Card, File
from course_utils.data.fetch import fetch, verify
from course_utils.errors import DataError

FETCH = importlib.import_module("course_utils.data.fetch")
DOWNLOAD = importlib.import_module("course_utils.data.download")
CONTENT = {"a.bin": random.Random(1).randbytes(300_000), "deep/b.bin": b"b" * 200_000}
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals or limits")


def promised(content):
    return File(hashlib.sha256(content).hexdigest(), len(content))


def zipped(content=CONTENT, prefix="repo-main/"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in content.items():
            bundle.writestr(prefix + name, data)
    return out.getvalue()


def tarred(content=CONTENT, mode="w:gz", extra=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as bundle:
        for member in extra:
            bundle.addfile(member)
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            bundle.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Server:
    """Answers each path from ``pages``: bytes, or a function that gets the request handler."""

    def __init__(self):
        self.pages, self.hits, self.stop = {}, [], threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.hits.append(self.path)
                page = outer.pages.get(self.path)
                with contextlib.suppress(ConnectionError):
                    if callable(page):
                        page(self)
                    else:
                        self.reply(404 if page is None else 200, page or b"")

            def reply(self, status, body=b"", length=None, **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.stop.set()
        self.httpd.shutdown()
        self.httpd.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(DOWNLOAD, "PAUSE", 0.01)
    running = Server()
    yield running
    running.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    monkeypatch.delenv("COURSE_TIMEOUT", raising=False)
    return tmp_path / "cache"


def make_card(server, kind="zip", files=None, **source):
    files = files or {name: promised(data) for name, data in CONTENT.items()}
    url = server if isinstance(server, str) else f"{server.url}/toy.{kind}"
    source = {"url": url, "mirror": f"toy/toy.{kind}", "unpack": kind, **source}
    size = sum(file.bytes or 0 for file in files.values())
    return Card(
        "toy",
        "Toy",
        "test",
        "https://example.org",
        "mit",
        "none",
        (source,),
        files,
        {"all": 2},
        (),
        "stand-in: x",
        size,
    )


def gz_card(server, data=CONTENT["a.bin"]):
    return make_card(server, "gz", {"a.bin": promised(data)}, file="a.bin")


def contents(cache):
    """Every file and folder in the cache but the lock, which is empty and stays."""
    return (
        sorted(str(p.relative_to(cache)) for p in cache.rglob("*") if p.name != ".toy.lock")
        if cache.exists()
        else []
    )


def assert_complete(cache):
    assert contents(cache) == ["toy", "toy/a.bin", "toy/deep", "toy/deep/b.bin"]
    assert all((cache / "toy" / name).read_bytes() == data for name, data in CONTENT.items())


def fails(card, *words):
    """The fetch raises one DataError that names the file, its hash, the cure and ``words``."""
    with pytest.raises(DataError) as caught:
        fetch(card)
    text = str(caught.value)
    first = next(iter(card.files))
    for word in (
        first,
        card.files[first].sha256,
        "COURSE_MIRROR",
        "DATA_SOURCE=embedded",
        "put the file at",
        *words,
    ):
        assert word in text
    return text


# ---- the plain case -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "none"])
def test_fetches_from_the_public_source_then_from_the_cache(server, cache, kind):
    data = CONTENT["a.bin"]
    server.pages[f"/toy.{kind}"] = {
        "zip": zipped(),
        "tar": tarred(),
        "gz": gzip.compress(data),
        "none": data,
    }[kind]
    card = (
        make_card(server, kind)
        if kind in ("zip", "tar")
        else make_card(server, kind, {"a.bin": promised(data)}, file="a.bin")
    )
    assert verify(card) == []
    assert fetch(card) == "public"
    assert len(server.hits) == 1
    assert fetch(card) == "cache"
    assert len(server.hits) == 1
    assert all(ok for _, ok, _ in verify(card))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_usual_tar(server, cache, mode):
    server.pages["/toy.tar"] = tarred(mode=mode)
    assert fetch(make_card(server, "tar")) == "public"
    assert_complete(cache)


def test_a_chunked_answer_without_length(server, cache):
    def chunked(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        body = zipped()
        for start in range(0, len(body), 1000):
            part = body[start : start + 1000]
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    server.pages["/toy.zip"] = chunked
    assert fetch(make_card(server)) == "public"
    assert_complete(cache)


def test_a_server_that_unpacks_gzip_on_the_way(server, cache):
    body = gzip.compress(CONTENT["a.bin"])
    server.pages["/toy.gz"] = lambda h: h.reply(200, body, **{"Content-Encoding": "gzip"})
    assert fetch(gz_card(server)) == "public"
    assert (cache / "toy" / "a.bin").read_bytes() == CONTENT["a.bin"]


def test_embedded_touches_neither_network_nor_cache(server, cache):
    assert fetch(make_card(server), source="embedded") == "stand-in: x"
    assert not server.hits and not cache.exists()


# ---- the mirror -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "url"])
def test_the_mirror_comes_before_the_public_source(server, cache, tmp_path, monkeypatch, form):
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "toy.zip").write_bytes(zipped())
    server.pages["/m/toy/toy.zip"] = zipped()
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror") if form == "folder" else server.url + "/m/")
    assert fetch(make_card(server)) == "mirror"
    assert_complete(cache)
    assert server.hits == ([] if form == "folder" else ["/m/toy/toy.zip"])


def test_a_relative_mirror_is_found_from_the_projects_root(server, cache, tmp_path, monkeypatch):
    (tmp_path / "mirror" / "toy").mkdir(parents=True)
    (tmp_path / "mirror" / "toy" / "toy.zip").write_bytes(zipped())
    monkeypatch.setattr(FETCH, "ROOT", tmp_path / "project")
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("COURSE_MIRROR", "../mirror")
    assert fetch(make_card(server)) == "mirror"


@pytest.mark.parametrize("page", [None, zipped({})], ids=["absent", "empty"])
def test_the_login_of_a_mirror_is_not_printed(server, cache, monkeypatch, page):
    server.pages["/m/toy/toy.zip"] = page
    monkeypatch.setenv("COURSE_MIRROR", server.url.replace("://", "://ada:secret@") + "/m")
    assert "secret" not in fails(make_card(server), f"mirror {server.url}/m/toy/toy.zip")


@pytest.mark.parametrize("fault", ["absent", "truncated", "altered", "other"])
def test_a_bad_mirror_is_passed_over_and_never_written_to(server, cache, tmp_path, monkeypatch, fault):
    path = tmp_path / "mirror" / "toy" / "toy.zip"
    path.parent.mkdir(parents=True)
    good = zipped()
    bad = {"truncated": good[:50_000], "altered": zipped({**CONTENT, "a.bin": b"x"}), "other": b"<html>"}.get(
        fault
    )
    if bad:
        path.write_bytes(bad)
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path / "mirror"))
    server.pages["/toy.zip"] = good
    assert fetch(make_card(server)) == "public"
    assert_complete(cache)
    assert not bad or path.read_bytes() == bad
    server.pages.clear()
    for file in CONTENT:
        (cache / "toy" / file).unlink()
    fails(make_card(server), f"mirror {path}", "public http", "HTTP 404")


# ---- servers that misbehave -----------------------------------------------------------------------------------


def test_404_is_not_tried_again(server, cache):
    fails(make_card(server), "HTTP 404")
    assert len(server.hits) == 1
    assert contents(cache) == []


def test_503_then_200(server, cache):
    server.pages["/toy.zip"] = lambda h: h.reply(503) if len(server.hits) < 3 else h.reply(200, zipped())
    assert fetch(make_card(server)) == "public"
    assert len(server.hits) == 3


def test_503_for_ever(server, cache):
    server.pages["/toy.zip"] = lambda h: h.reply(503)
    fails(make_card(server), "HTTP 503, 3 times")
    assert contents(cache) == []


def test_a_body_shorter_than_announced_is_fetched_again(server, cache):
    good = zipped()
    server.pages["/toy.zip"] = lambda h: h.reply(
        200, good[: len(good) if len(server.hits) > 1 else 1000], length=len(good)
    )
    assert fetch(make_card(server)) == "public"
    assert_complete(cache)


@pytest.mark.parametrize("sent", [0, 1000])
def test_a_stalled_server(server, cache, monkeypatch, sent):
    def stall(handler):
        good = zipped()
        if sent:
            handler.reply(200, good[:sent], length=len(good))
        server.stop.wait(20)

    server.pages["/toy.zip"] = stall
    monkeypatch.setenv("COURSE_TIMEOUT", "0.2")
    started = time.monotonic()
    fails(make_card(server), "the server sent nothing for 0.2 s, 3 times")
    assert time.monotonic() - started < 10
    assert contents(cache) == []


def test_a_redirect_is_followed_and_a_loop_is_named(server, cache):
    server.pages["/toy.zip"] = lambda h: h.reply(302, Location="/toy.zip")
    fails(make_card(server), "redirects in a loop")
    server.pages["/toy.zip"] = lambda h: h.reply(302, Location="/real.zip")
    server.pages["/real.zip"] = zipped()
    assert fetch(make_card(server)) == "public"


def test_nobody_listens(server, cache):
    card = make_card("http://127.0.0.1:1/toy.zip")
    started = time.monotonic()
    fails(card, "cannot be reached")
    assert time.monotonic() - started < 2
    assert contents(cache) == []


def test_an_endless_body_is_cut_off(server, cache):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(b"\0" * 65536)

    server.pages["/toy.gz"] = endless
    fails(gz_card(server), "longer than")
    assert contents(cache) == []


@pytest.mark.parametrize("fault", ["truncated", "altered", "empty", "html"])
@pytest.mark.parametrize("kind", ["zip", "tar", "gz"])
def test_a_wrong_file_on_the_server(server, cache, kind, fault):
    make = {"zip": zipped, "tar": tarred, "gz": lambda content=CONTENT: gzip.compress(content["a.bin"])}[kind]
    wrong = {**CONTENT, "a.bin": CONTENT["a.bin"][:-1] + b"!"}
    body = {
        "truncated": make()[:-1000],
        "altered": make(wrong),
        "empty": b"",
        "html": b"<html>Log in</html>",
    }[fault]
    server.pages[f"/toy.{kind}"] = body
    card = gz_card(server) if kind == "gz" else make_card(server, kind)
    expect = promised(wrong["a.bin"]).sha256 if fault == "altered" else ""
    if not (
        kind == "tar" and fault in ("truncated", "empty")
    ):  # a tar cut after its last file may still hold it
        fails(card, expect)
    else:
        with pytest.raises(DataError, match="could not be had"):
            fetch(card)
    left = [name for name in contents(cache) if (cache / name).is_file()]
    assert all((cache / name).read_bytes() == CONTENT[name.removeprefix("toy/")] for name in left)
    assert not [name for name in contents(cache) if name.startswith(".")]


# ---- hostile archives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "member", ["../a.bin", "x/../../a.bin", "/etc/a.bin", "C:\\a.bin", "..\\a.bin", "/a.bin"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_outside_the_folder(server, cache, kind, member):
    server.pages[f"/toy.{kind}"] = (
        zipped({member: b"evil", **CONTENT}, prefix="")
        if kind == "zip"
        else tarred({member: b"evil", **CONTENT})
    )
    fails(make_card(server, kind), "unsafe", "outside")
    assert contents(cache) == []
    assert not list(cache.parent.rglob("*evil*")) and not (cache.parent / "a.bin").exists()


@pytest.mark.parametrize("type_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_place_of_a_file(server, cache, type_):
    link = tarfile.TarInfo("a.bin")
    link.type, link.linkname = type_, "/etc/passwd"
    server.pages["/toy.tar"] = tarred(extra=[link])
    fails(make_card(server, "tar"), "unsafe", "link")
    assert contents(cache) == []


def test_a_link_in_a_zip(server, cache):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        info = zipfile.ZipInfo("a.bin")
        info.external_attr = 0o120777 << 16
        bundle.writestr(info, "/etc/passwd")
    server.pages["/toy.zip"] = out.getvalue()
    fails(make_card(server), "unsafe", "link")


def test_a_link_to_a_folder_is_not_followed(server, cache, tmp_path):
    link = tarfile.TarInfo("deep")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    server.pages["/toy.tar"] = tarred(extra=[link])
    assert fetch(make_card(server, "tar")) == "public"
    assert_complete(cache)
    assert not (tmp_path / "b.bin").exists() and not (cache / "toy" / "deep").is_symlink()


@pytest.mark.parametrize("kind", ["gz", "zip", "tar", "tar of zeros", "zip that lies"])
def test_a_bomb_is_stopped_early(server, cache, monkeypatch, kind):
    bomb = bytes(60_000_000)
    data = {"gz": gzip.compress(bomb)}.get(kind) or {"zip": zipped, "tar": tarred}[kind[:3]](
        {"other" if "of" in kind else "a.bin": bomb}
    )
    if "lies" in kind:  # both headers say 300,000 bytes; 60 million follow
        size, lie = len(bomb).to_bytes(4, "little"), (300_000).to_bytes(4, "little")
        assert data.count(size) == 2
        data = data.replace(size, lie)
    server.pages[f"/toy.{kind[:3].strip()}"] = data
    written = []
    real = FETCH.unpack

    def watched(archive, kind, wanted, folder, limit):
        try:
            return real(archive, kind, wanted, folder, limit)
        finally:
            written.append(
                sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                if folder.exists()
                else 0
            )

    monkeypatch.setattr(FETCH, "unpack", watched)
    fails(gz_card(server) if kind == "gz" else make_card(server, kind[:3]))
    assert written and max(written) <= 400_000
    assert contents(cache) == []


def test_random_damage_never_gives_a_wrong_file(tmp_path):
    """Flip bytes anywhere in an archive: the files come out right or an ArchiveError says why not."""
    rng = random.Random(0)
    wanted = {name: promised(data) for name, data in (("a", b"abc" * 500), ("d/b", bytes(700)))}
    content = {"a": b"abc" * 500, "d/b": bytes(700)}
    outcomes = {"right": 0, "refused": 0}
    for kind, data in (
        ("zip", zipped(content)),
        ("tar", tarred(content)),
        ("tar", tarred(content, "w")),
        ("gz", gzip.compress(content["a"])),
    ):
        for trial in range(150):
            broken = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            path = tmp_path / "archive"
            path.write_bytes(broken)
            folder = tmp_path / f"{kind}{trial}{len(data)}"
            try:
                done = unpack(path, kind, {"a": wanted["a"]} if kind == "gz" else wanted, folder, 1_000_000)
                assert all((folder / name).read_bytes() == content[name] for name in done)
                outcomes["right"] += 1
            except ArchiveError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20


# ---- the cache ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["truncated", "altered", "empty", "folder", "missing"])
def test_a_bad_file_in_the_cache_is_replaced(server, cache, fault):
    server.pages["/toy.zip"] = zipped()
    card = make_card(server)
    fetch(card)
    path = cache / "toy" / "a.bin"
    good = path.read_bytes()
    if fault in ("folder", "missing"):
        path.unlink()
    if fault == "folder":
        path.mkdir()
    elif fault != "missing":
        path.write_bytes({"truncated": good[:-1], "altered": good[:-1] + b"!", "empty": b""}[fault])
    assert [(file, ok) for file, ok, _ in verify(card)] == [("a.bin", False), ("deep/b.bin", True)]
    if fault == "folder":  # not ours to delete: said, not done
        fails(card, "cannot be written")
        return
    assert fetch(card) == "public"
    assert_complete(cache)


def test_a_bad_file_in_the_cache_goes_even_if_no_good_one_comes(server, cache):
    server.pages["/toy.zip"] = zipped()
    card = make_card(server)
    fetch(card)
    (cache / "toy" / "a.bin").write_bytes(b"bad")
    server.pages.clear()
    fails(card, promised(b"bad").sha256, "HTTP 404")
    assert contents(cache) == ["toy", "toy/deep", "toy/deep/b.bin"]


@contextlib.contextmanager
def ordinary_user():
    """Give up root's rights for a while, so that permissions count; a plain user already has none."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def frozen(server, monkeypatch):
    """A cache folder with the toy's files that nobody may write to, outside pytest's private folders."""
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)  # noqa: S103
        cache = Path(root, "cache")
        monkeypatch.setenv("COURSE_CACHE", str(cache))
        monkeypatch.delenv("COURSE_MIRROR", raising=False)
        server.pages["/toy.zip"] = zipped()
        fetch(make_card(server))
        (cache / ".toy.lock").unlink()

        def freeze():
            for path in (*cache.rglob("*"), cache):
                path.chmod(0o555 if path.is_dir() else 0o444)

        yield cache, freeze
        for path in (cache, *cache.rglob("*")):
            path.chmod(0o755)


@posix
def test_a_read_only_cache_with_valid_files_is_used_without_writing(server, frozen):
    cache, freeze = frozen
    freeze()
    before = {p: p.stat().st_mtime_ns for p in (cache, *cache.rglob("*"))}
    with ordinary_user():
        assert fetch(make_card(server)) == "cache"
    assert {p: p.stat().st_mtime_ns for p in (cache, *cache.rglob("*"))} == before


@posix
@pytest.mark.parametrize("fault", ["altered", "missing"])
def test_a_read_only_cache_that_lacks_a_file_says_so(server, frozen, fault):
    cache, freeze = frozen
    (cache / "toy" / "a.bin").unlink()
    if fault == "altered":
        (cache / "toy" / "a.bin").write_bytes(b"bad")
    freeze()
    with ordinary_user():
        fails(
            make_card(server),
            "cannot be written",
            "COURSE_CACHE",
            promised(b"bad").sha256 if fault == "altered" else "",
        )
    assert not [p for p in cache.iterdir() if p.name != "toy"]


def test_a_cache_that_cannot_be_made(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file"))
    fails(make_card(server), "cannot be written", "COURSE_CACHE")


# ---- a full disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["download", "unpack", "move"])
def test_a_full_disk(server, cache, monkeypatch, stage):
    server.pages["/toy.zip"] = zipped()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_, **__):
        raise full

    with monkeypatch.context() as patch:
        if stage == "download":
            patch.setattr("pooch.HTTPDownloader.__call__", fail)
        elif stage == "unpack":
            patch.setattr("course_utils.data.archives._write", fail)
        else:
            patch.setattr(FETCH.os, "replace", fail)
        fails(
            make_card(server),
            "No space left" if os.name == "posix" else "",
            "Free some space",
            "COURSE_CACHE",
        )
    assert [name for name in contents(cache) if name not in ("toy", "toy/deep")] == []
    assert fetch(make_card(server)) == "public"
    assert_complete(cache)


CHILD = """
import os, sys
from course_utils.data.cards import Card, File
from course_utils.data.fetch import fetch
from course_utils.errors import DataError
url, limit, files = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
files = {name: File(*values) for name, values in files.items()}
source = {"url": url, "mirror": "toy/toy.zip", "unpack": "zip"}
card = Card("toy", "Toy", "test", "https://example.org", "mit", "none", (source,), files, {"all": 2}, (), "stand-in: x", 500_000)
try:
    print(fetch(card))
except DataError as error:
    print(error)
    sys.exit(3)
"""


def child(server, cache, limit=0):
    files = repr({name: tuple(promised(data)) for name, data in CONTENT.items()})
    env = {**os.environ, "COURSE_CACHE": str(cache), "NO_PROXY": "127.0.0.1"}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, f"{server.url}/toy.zip", str(limit), files],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=Path(__file__).parents[1],
    )  # fmt: skip


@posix
@pytest.mark.parametrize("limit", [1000, 250_000])
def test_a_real_file_size_limit(server, cache, limit):
    """The limit of 1,000 bytes stops the download; 250,000 lets the smaller file through and stops the larger."""
    server.pages["/toy.zip"] = zipped(dict(reversed(CONTENT.items())))
    process = child(server, cache, limit)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "cannot be written (File too large)" in out and "Free some space" in out
    assert contents(cache) == []


# ---- several processes, and killed ones -----------------------------------------------------------------------


def test_two_processes_at_once(server, cache):
    body = zipped()

    def slow(handler):
        handler.reply(200, body[:1000], length=len(body))
        time.sleep(0.3)
        handler.wfile.write(body[1000:])

    server.pages["/toy.zip"] = slow
    processes = [child(server, cache) for _ in range(3)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [p.returncode for p in processes] == [0, 0, 0], answers
    assert sorted(out.strip() for out, _ in answers) == ["cache", "cache", "public"]
    assert len(server.hits) == 1
    assert_complete(cache)


@posix
def test_killed_at_any_byte(server, cache):
    """Kill -9 while the server has sent a random part, several times; then the fetch ends well and leaves nothing."""
    rng, body = random.Random(7), zipped()
    reached, go_on = threading.Event(), threading.Event()
    cut = 0

    def until_cut(handler):
        handler.reply(200, body[:cut], length=len(body))
        handler.wfile.flush()
        reached.set()
        go_on.wait(20)
        handler.wfile.write(body[cut:])

    server.pages["/toy.zip"] = until_cut
    for trial in range(6):
        cut = [0, len(body)][trial] if trial < 2 else rng.randrange(len(body))
        reached.clear()
        process = child(server, cache)
        assert reached.wait(30)
        time.sleep(rng.random() * 0.1)
        if trial == 1:
            go_on.set()  # the whole body is there: the kill falls into unpacking, moving or the very end
        process.send_signal(signal.SIGKILL)
        process.communicate()
        go_on.clear()
        for name, data in CONTENT.items():
            path = cache / "toy" / name
            assert not path.exists() or path.read_bytes() == data
            path.unlink(missing_ok=True)
    assert [name for name in contents(cache) if name.startswith(".toy-")]
    server.pages["/toy.zip"] = body
    assert fetch(make_card(server)) == "public"
    assert_complete(cache)


@posix
@pytest.mark.parametrize("step", ["os.replace", "unpack"])
def test_killed_while_files_are_moved(server, cache, step):
    """A process that dies between two files leaves the first one whole, and the next fetch brings the second."""
    server.pages["/toy.zip"] = zipped()
    die = "n = [0]\ndef die(*a, real=REAL):\n    n[0] += 1\n    if n[0] > 1: os.kill(os.getpid(), 9)\n    return real(*a)\n"
    die = die.replace("REAL", "os.replace" if step == "os.replace" else "A._write")
    patch = (
        "import course_utils.data.archives as A\n"
        + die
        + ("os.replace = die\n" if step == "os.replace" else "A._write = die\n")
    )
    script = CHILD.replace("try:\n", patch + "try:\n", 1)
    files = repr({name: tuple(promised(data)) for name, data in CONTENT.items()})
    env = {**os.environ, "COURSE_CACHE": str(cache)}
    result = subprocess.run(
        [sys.executable, "-c", script, f"{server.url}/toy.zip", "0", files],
        env=env,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert result.returncode == -signal.SIGKILL
    assert [name for name in contents(cache) if name.startswith(".toy-")]
    assert ("toy/a.bin" in contents(cache)) == (step == "os.replace")
    assert fetch(make_card(server)) == "public"
    assert_complete(cache)


def test_a_lock_that_is_held_for_ever(server, cache, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(FETCH, "LOCK_TIMEOUT", 0.2)
    cache.mkdir()
    with FileLock(cache / ".toy.lock"), pytest.raises(DataError, match="another process"):
        fetch(make_card(server))


def test_without_locks_a_fetch_still_works_and_leaves_fresh_folders_alone(server, cache, monkeypatch):
    monkeypatch.setattr(
        "filelock.FileLock.acquire", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSYS, "no locks"))
    )
    (cache / ".toy-fresh").mkdir(parents=True)
    (cache / ".toy-old").mkdir()
    os.utime(cache / ".toy-old", (0, 0))
    server.pages["/toy.zip"] = zipped()
    assert fetch(make_card(server)) == "public"
    assert contents(cache)[0] == ".toy-fresh" and ".toy-old" not in contents(cache)


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "inf", "1e30"])
def test_a_wrong_timeout_is_named(server, cache, monkeypatch, text):
    monkeypatch.setenv("COURSE_TIMEOUT", text)
    with pytest.raises(DataError, match=f"COURSE_TIMEOUT is '{text}'. Valid: a number of seconds above 0"):
        fetch(make_card(server))


def test_the_sources_of_one_set_are_not_all_tried_when_one_fails(server, cache):
    one = make_card(server, "none", {"a.bin": promised(CONTENT["a.bin"])}, file="a.bin").sources[0]
    two = {**one, "url": server.url + "/second", "file": "deep/b.bin"}
    card = make_card(server)
    card = Card(**{**vars(card), "sources": (one, two)})
    fails(card, "HTTP 404", "and 1 more")
    assert server.hits == ["/toy.none"]


@pytest.mark.parametrize("status", [408, 429])
def test_a_busy_server_is_asked_again(server, cache, status):
    server.pages["/toy.zip"] = lambda h: h.reply(status) if len(server.hits) < 3 else h.reply(200, zipped())
    assert fetch(make_card(server)) == "public" and len(server.hits) == 3
