"""moto's S3 server, in which one of many creates an object: ``python -m tests.s3_server PORT``.

moto looks whether an object is there and writes it a moment later, so that two drivers may both
have created one claim. S3, and every server that the storage proof accepts, does both at once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")


def one_at_a_time(application: Application) -> Application:
    """``application``, which answers one request with a condition at a time."""
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if any(each in environ for each in CONDITIONS):
            with lock:
                return application(environ, start_response)
        return application(environ, start_response)

    return answer


if __name__ == "__main__":
    server = DomainDispatcherApplication(create_backend_app)
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        one_at_a_time(server),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
