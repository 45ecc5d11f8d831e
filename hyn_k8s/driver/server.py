"""The driver's HTTP server: ``/progress`` for the operator, ``/healthz``, ``/metrics``.

In threads of its own, and without a line in the log for each request. It answers from the first
second on, also while the driver waits for its cluster.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hyn_k8s.documents import Progress
from hyn_k8s.driver import metrics

REQUEST_SECONDS = 10.0
"""How long a client may take to send its request or to take the answer."""


EVERYWHERE = "0.0.0.0"  # noqa: S104  # the operator asks from another pod


@contextlib.contextmanager
def serving(read: Callable[[], Progress], port: int) -> Iterator[int]:
    """Within, what ``read`` returns is served at ``port``, or at a free one for 0; gives the port.

    Raises:
        OSError: the port is taken.
    """
    registry = metrics.registry_of(read)
    answers: dict[str, tuple[str, Callable[[], bytes]]] = {
        "/progress": ("application/json", lambda: read().to_json().encode()),
        "/healthz": ("text/plain", lambda: b"ok\n"),
        "/metrics": ("text/plain; version=0.0.4", lambda: metrics.exposition(registry)),
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            kind, answer = answers.get(self.path.partition("?")[0], ("", None))
            if answer is None:
                self.send_error(404, f"there are {', '.join(answers)}")
                return
            body = answer()
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The log is the script's."""

    with _QuietServer((EVERYWHERE, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away is nothing to write about."""
