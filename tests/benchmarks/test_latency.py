"""A distance that a benchmark puts between a search and its storage."""

from __future__ import annotations

import pathlib
import socket
import sys
import threading
import time

import pytest

from tests.pages import ROOT
from tests.processes import free_port, listens, start, stop
from tests.waiting import until

pytestmark = pytest.mark.processes


def test_an_answer_comes_as_much_later_and_whole(tmp_path: pathlib.Path) -> None:
    sent = bytes(range(256)) * 4000
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    while part := connection.recv(65536):
                        connection.sendall(part)

        threading.Thread(target=echo, daemon=True).start()
        port = free_port()
        words = [str(port), str(server.getsockname()[1]), "0.2"]
        proxy = start(
            [sys.executable, "-m", "benchmarks.latency", *words], ROOT, None, tmp_path / "log"
        )
        try:
            until(lambda: listens(port), "the proxy")
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                threading.Thread(target=connection.sendall, args=(sent,), daemon=True).start()
                received = b""
                while len(received) < len(sent):
                    received += connection.recv(65536)
            assert time.monotonic() - began >= 0.2
        finally:
            stop(proxy)
    assert received == sent
