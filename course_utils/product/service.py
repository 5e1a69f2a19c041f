"""A small HTTP service around an exported classifier, on the standard library alone.

``POST /predict`` with a picture file as the body gives probabilities; ``GET /about`` says what the model is; ``GET
/health`` answers "ok". It is meant to stand behind a reverse proxy that does TLS, accounts and rate limits.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from course_utils.product.about import About
from course_utils.product.session import Classifier
from course_utils.product.uploads import Limits, UploadError, read_upload

PATIENCE = 10.0  # seconds that a client may take to send its whole body, and the longest silence
CONNECTIONS = 64  # open at the same time, each with a thread and at most one body in memory
DRAIN = (
    64_000_000  # bytes of a refused body that are read and thrown away, so that its sender sees the answer
)


def answer(classifier, body: bytes, limits: Limits) -> dict:
    """The reply to one picture: class, probabilities and the model's version. Raises ``UploadError``."""
    pixels = read_upload(body, classifier.about.channels, limits)
    chances = classifier(pixels)[0][0]
    if not np.isfinite(chances).all():
        raise ValueError(f"the model gives {chances.tolist()}")
    about: About = classifier.about
    return {
        "class": about.classes[int(chances.argmax())],
        "probabilities": {name: round(float(p), 6) for name, p in zip(about.classes, chances, strict=True)},
        "pixels": [pixels.shape[1], pixels.shape[0]],
        "version": about.version,
        "precision": about.precision,
    }


class Service(ThreadingHTTPServer):
    """Serves a :class:`~course_utils.product.session.Classifier`; at most ``at_once`` pictures are worked on together.

    More get the status 503 at once, rather than a place in a queue that grows. ``port`` 0 takes a free one.
    """

    daemon_threads = True

    def __init__(
        self, classifier, host="127.0.0.1", port=0, limits: Limits | None = None, at_once=4, patience=PATIENCE
    ):
        self.classifier, self.limits, self.patience = classifier, limits or Limits(), patience
        self.places = threading.BoundedSemaphore(at_once)
        self.connections = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """Where it listens, with a slash at the end."""
        return f"http://{self.server_address[0]}:{self.server_address[1]}/"

    def process_request(self, request, client_address):
        """Give a connection its thread, or close it when too many are open."""
        if self.connections.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:  # no thread could be started, and its end gives the place back
                self.connections.release()
                raise
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        """What the thread does, and the place that it gives back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request, client_address):
        """A client that goes away is no event for the log."""


class Handler(BaseHTTPRequestHandler):
    """One connection. Whatever comes in, a short JSON text goes out."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "cnn-course", ""

    def setup(self):
        """Give a slow client up after ``patience`` seconds of silence."""
        self.timeout = self.server.patience
        super().setup()

    def handle_one_request(self):
        """Give up a head that comes drop by drop: the socket's own patience counts only silence."""
        self.clock = threading.Timer(self.server.patience, self._cut)
        self.clock.daemon = True
        self.clock.start()
        try:
            super().handle_one_request()
        finally:
            self.clock.cancel()

    def parse_request(self):
        """The head is there: what follows has limits of its own."""
        try:
            return super().parse_request()
        finally:
            self.clock.cancel()

    def _cut(self):
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def do_GET(self):
        """``/health`` and ``/about``."""
        lengths = self.headers.get_all("Content-Length", [])
        if set(lengths) - {"0"} or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body is not read, and must not be taken for the next request
        if self.path == "/health":
            self._reply(200, {"status": "ok"})
        elif self.path == "/about":
            self._reply(200, json.loads(self.server.classifier.about.to_json()))
        else:
            self._reply(
                404, {"error": f"no page {self.path[:80]!r}. Valid: GET /health, GET /about, POST /predict."}
            )

    def do_POST(self):
        """``/predict``."""
        try:
            if self.path != "/predict":
                raise UploadError(404, f"no page {self.path[:80]!r}. Valid: POST /predict.")
            length = self._length()
            body = b"".join(self._pieces(length))
            if len(body) < length:
                raise UploadError(422, f"the body ended after {len(body):,} of {length:,} bytes.")
            with self._place():
                reply = answer(self.server.classifier, body, self.server.limits)
        except UploadError as error:
            self.close_connection = True
            self._reply(error.status, {"error": str(error)})
        except TimeoutError:
            self.close_connection = True
            self._reply(408, {"error": "the body did not arrive in time."})
        except ConnectionError:
            self.close_connection = True  # there is nobody to answer
        except Exception:
            self.close_connection = True
            traceback.print_exc(file=sys.stderr)  # before the reply, which says that it is done
            self._reply(500, {"error": "the model failed on this picture. It has been noted."})
        else:
            self._reply(200, reply)

    def handle_expect_100(self):
        """Refuse a body that its sender announces and that is too large, before it is sent."""
        try:
            self._length()
        except UploadError as error:
            self.close_connection = True
            self._reply(error.status, {"error": str(error)})
            return False
        return super().handle_expect_100()

    def send_error(self, code, message=None, explain=None):
        """What http.server refuses by itself, in the same form as the rest."""
        self.close_connection = True
        self._reply(code, {"error": message or "this request cannot be answered."})

    def log_message(self, format, *args):
        """Write nothing for each request; a proxy does."""

    def _length(self) -> int:
        lengths = self.headers.get_all("Content-Length", [""])
        text = lengths[0].strip()
        if len(set(lengths)) > 1 or not text.isdecimal() or "Transfer-Encoding" in self.headers:
            raise UploadError(
                411,
                f"Content-Length is {text[:20]!r}. Send the number of bytes of the body, once, not in chunks.",
            )
        if len(text) > 15:
            raise UploadError(
                413, f"the body has {text[:15]}… bytes; the limit is {self.server.limits.body:,}."
            )
        if int(text) > self.server.limits.body:
            self._drain(int(text))
            raise UploadError(
                413, f"the body has {int(text):,} bytes; the limit is {self.server.limits.body:,}."
            )
        return int(text)

    def _drain(self, length: int) -> None:
        """Read a refused body in small pieces and keep none: a closed door would hide the answer from its sender."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            return
        for _ in self._pieces(min(length, DRAIN)):
            pass

    def _pieces(self, left: int):
        """The next ``left`` bytes in pieces; raises TimeoutError when they take longer than ``patience`` together."""
        deadline = time.monotonic() + self.server.patience
        while left > 0 and (piece := self.rfile.read1(min(left, 65_536))):
            left -= len(piece)
            yield piece
            if time.monotonic() > deadline:
                raise TimeoutError

    @contextmanager
    def _place(self):
        if not self.server.places.acquire(blocking=False):
            raise UploadError(503, "all places are taken. Try again in a moment.")
        try:
            yield
        finally:
            self.server.places.release()

    def _reply(self, status: int, document: dict) -> None:
        text = json.dumps(document).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(text)
        except OSError:  # nobody listens any more
            self.close_connection = True


@contextmanager
def running(classifier: Classifier, **options):
    """A :class:`Service` that runs in a thread as long as the ``with`` block; ``options`` go to it."""
    with Service(classifier, **options) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
