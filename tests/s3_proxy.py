"""An S3 endpoint that passes requests on to a real server, with something missing.

What servers lack that are called compatible: some ignore the condition of a write, some refuse it.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from tests.processes import S3Server

_NOT_IMPLEMENTED = b"""<?xml version="1.0"?><Error><Code>NotImplemented</Code>
<Message>A header you provided implies functionality that is not implemented</Message></Error>"""


@contextlib.contextmanager
def without_conditions(server: S3Server, refused: bool) -> Iterator[str]:
    """The URL of ``server`` as one that ignores ``If-None-Match``, or that refuses it."""
    host = urlsplit(server.endpoint).netloc

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("If-None-Match"):
                if refused:
                    self.answer(501, {"Content-Type": "application/xml"}, _NOT_IMPLEMENTED)
                    return
                # The header is signed. So the condition is made true instead of taken away.
                bucket, _, key = unquote(self.path).lstrip("/").partition("/")
                server.client().remove_object(bucket_name=bucket, object_name=key)
            connection = http.client.HTTPConnection(host, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            self.answer(response.status, dict(response.getheaders()), response.read())
            connection.close()

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(body)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
