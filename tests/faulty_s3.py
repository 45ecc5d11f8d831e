"""An S3 server whose requests fail as a test wishes: a proxy before the real one.

The proxy is a part of the test's process and everyone else's endpoint. A test changes what
becomes of requests while a search runs: they are slow, answered with 503, cut off before or after
they had their effect, kept waiting, or nobody listens at all. It passes requests on as they are,
``Host`` included, so their signatures hold.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.processes import S3Server, free_port

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)

ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}
"""Headers that speak of one connection only."""


class FaultyS3:
    """An S3 server behind a proxy; in the beginning it is well."""

    def __init__(self, real: S3Server) -> None:
        port = free_port()
        self._address = ("127.0.0.1", port)
        self._real = urlsplit(real.endpoint).netloc
        self._listening: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()
        self._delay = 0.0
        self._busy: Iterator[bool] = itertools.repeat(False)
        self._losing: Iterator[bool] = itertools.repeat(False)
        self._cut = False
        self._speaks = threading.Event()
        self.server = dataclasses.replace(real, endpoint=f"http://127.0.0.1:{port}")
        """The same server as its users shall see it: ``server.env`` leads here."""
        self.requests = 0
        """How many have come."""
        self.failed = 0
        """How many of them did not come to their answer, or not yet."""

    def be_well(self) -> None:
        """Every request is passed on at once, and so is what waits for an answer."""
        self._delay, self._cut = 0.0, False
        self._busy = self._losing = itertools.repeat(False)
        self._speaks.set()
        self._listen()

    def be_slow(self, seconds: float) -> None:
        """Every request waits for ``seconds`` before it is passed on."""
        self._delay = seconds

    def be_busy(self, every: int = 1) -> None:
        """Each ``every``-th request is answered with 503 SlowDown."""
        self._busy = itertools.cycle([False] * (every - 1) + [True])

    def lose_answers(self, every: int = 1) -> None:
        """Each ``every``-th request is passed on and has its effect, but is not answered."""
        self._losing = itertools.cycle([False] * (every - 1) + [True])

    def fall_silent(self) -> None:
        """No request is answered; all are passed on once the server is well again."""
        self._speaks.clear()

    def hang_up(self) -> None:
        """Connections are taken, and closed at the first request without an answer."""
        self._cut = True

    def go_away(self) -> None:
        """Nobody listens; connections that are open are closed."""
        self._cut = True
        self._speaks.set()
        if self._listening is not None:
            self._listening.shutdown()
            self._listening.server_close()
            self._listening = None

    def answer(self, request: _Request) -> None:
        """Let one request come to what the test wishes; called in a thread of its own."""
        with self._lock:
            self.requests += 1
            busy, loses = next(self._busy), next(self._losing)
            self.failed += busy or loses or self._cut or not self._speaks.is_set()
        self._speaks.wait()
        if self._cut:
            request.close_connection = True
            return
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if busy:
            request.reply(503, [("Content-Type", "application/xml")], SLOW_DOWN)
            return
        time.sleep(self._delay)
        answer = self._pass_on(request, body)
        if loses:
            request.close_connection = True
            return
        request.reply(*answer)

    def _pass_on(self, request: _Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._real, timeout=60)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ONE_HOP}
        headers["Content-Length"] = str(len(body))
        try:
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _listen(self) -> None:
        if self._listening is None:
            handler = type("Handler", (_Request,), {"proxy": self})
            self._listening = _Server(self._address, handler)
            threading.Thread(target=self._listening.serve_forever, args=(0.05,)).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may keep its connection for as long as it likes
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients of a faulty server hang up in the middle, too."""


class _Request(BaseHTTPRequestHandler):
    """One connection's requests, each handed to the proxy."""

    protocol_version = "HTTP/1.1"
    proxy: FaultyS3

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() not in ONE_HOP:
                self.send_header(name, value)
            elif name.lower() == "content-length" and self.command == "HEAD":
                length = value
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        self.proxy.answer(self)

    def do_HEAD(self) -> None:
        self.proxy.answer(self)

    def do_PUT(self) -> None:
        self.proxy.answer(self)

    def do_POST(self) -> None:
        self.proxy.answer(self)

    def do_DELETE(self) -> None:
        self.proxy.answer(self)

    def log_message(self, *args: object) -> None:
        """Nothing: tests look at what users see."""


@contextlib.contextmanager
def faulty_s3(real: S3Server) -> Iterator[FaultyS3]:
    """A proxy before ``real``, well at first, that listens until the end of the block."""
    proxy = FaultyS3(real)
    proxy.be_well()
    try:
        yield proxy
    finally:
        proxy.go_away()
