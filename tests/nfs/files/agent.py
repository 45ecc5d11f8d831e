"""In a machine: runs what comes in by TCP, each command on a connection of its own.

The first line is JSON. A command with ``pipe`` has the connection as standard input and output;
of any other one come its output, then a line with its exit code. It ends with its connection.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socketserver
import subprocess
import threading


class Command(socketserver.StreamRequestHandler):
    """One connection."""

    rbufsize = 0

    def handle(self) -> None:
        line = self.rfile.readline()
        if not line:
            return
        asked = json.loads(line)
        pipe = asked["pipe"]
        child = subprocess.Popen(
            asked["command"],
            cwd=asked["folder"],
            env={**os.environ, **asked["env"]},
            stdin=self.connection if pipe else subprocess.DEVNULL,
            stdout=self.connection if pipe else subprocess.PIPE,
            stderr=None if pipe else subprocess.STDOUT,
            start_new_session=True,
        )
        if pipe:
            child.wait()
            return
        threading.Thread(target=self._end_with_connection, args=(child,), daemon=True).start()
        assert child.stdout is not None
        with contextlib.suppress(OSError):
            while data := os.read(child.stdout.fileno(), 65536):
                self.connection.sendall(data)
            self.connection.sendall(b"\0%d" % child.wait())

    def _end_with_connection(self, child: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


class Agent(socketserver.ThreadingTCPServer):
    """Listens on all of the machine's addresses."""

    allow_reuse_address = True
    daemon_threads = True


Agent(("", 7000), Command).serve_forever()
