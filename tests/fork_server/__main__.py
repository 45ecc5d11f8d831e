"""The fork server's own process: imports libraries once, then forks what it is told to start.

It has no threads, so each fork is a whole copy. A forked process undoes what it was given: random
numbers, signals, arguments, modules of the tests. It then runs its program as ``__main__``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pathlib
import random
import runpy
import selectors
import signal
import socket
import sys
import types
from typing import Any

LIBRARIES = (
    "numpy",
    "pandas",
    "scipy.cluster.hierarchy",
    "scipy.interpolate",
    "scipy.io",
    "scipy.stats",
    "sklearn.compose",
    "sklearn.datasets",
    "sklearn.decomposition",
    "sklearn.discriminant_analysis",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.impute",
    "sklearn.inspection",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.svm",
    "lightgbm",
    "dask.array",
    "dask.cli",
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "aiobotocore.session",
    "s3fs",
    "minio",
    "IPython.display",
    "click",
    "prometheus_client",
    "psutil",
    "pydantic",
    "rich.live",
    "rich.progress",
    "rich.table",
    "stamina",
    "tqdm.auto",
    "traitlets.config",
    "yaml",
)
"""What drivers, schedulers and workers import, without Hypernets and our own code."""


def main() -> None:
    """Serve until the other end of the socket is closed; in a forked process, be that process."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for library in LIBRARIES:
        importlib.import_module(library)
    tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    assert tasks == 1, "a library has started threads, which no forked process would have"
    gc.collect()
    gc.freeze()
    order = _serve(control)
    if order is not None:
        _run(order["command"], pathlib.Path(order["cwd"]), order["env"])


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """What a forked process has to run, there; None when nobody will ask any more."""
    children: dict[int, int] = {}
    """The pipe for the exit code of each process."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == woken:
                    os.read(woken, 4096)
                    _reap(children)
                    continue
                data, fds, _, _ = socket.recv_fds(control, 1 << 20, 3)
                if not data:  # the tests have ended, or were killed
                    for pid in children:
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(pid, signal.SIGKILL)
                    return None
                stdout, stderr, status = fds
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    selector.close()
                    control.close()
                    for fd in (woken, wake, status, *children.values()):
                        os.close(fd)
                    _take_streams(stdout, stderr)
                    order: dict[str, Any] = json.loads(data)
                    return order
                children[pid] = status
                os.close(stdout)
                os.close(stderr)
                control.send(str(pid).encode())


def _reap(children: dict[int, int]) -> None:
    """Tell the exit code of each process that has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            fd = children.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(fd, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(fd)


def _take_streams(stdout: int, stderr: int) -> None:
    """Have these as standard output and error, in a session of one's own."""
    os.setsid()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in {stdout, stderr}:
        os.close(fd)


def _run(command: list[str], cwd: pathlib.Path, env: dict[str, str]) -> None:
    """Run a Python program as if this interpreter had been started for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.modules["dask.config"].refresh()
    random.seed()
    sys.modules["numpy"].random.seed()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    first = command[1] if command[0] == sys.executable else None
    if first in ("-m", "-c"):
        sys.argv = [first, *command[3:]]
        sys.path[0] = str(cwd) if first == "-m" else ""
        if first == "-m":
            runpy._run_module_as_main(command[2])  # type: ignore[attr-defined]  # what "-m" calls
        else:
            exec(compile(command[2], "<string>", "exec"), main.__dict__)
    else:
        script = pathlib.Path(first or command[0])
        sys.argv = command if first is None else command[1:]
        sys.path[0] = str((cwd / script).parent)
        main.__file__ = str(cwd / script)
        exec(compile(script.read_text(), script, "exec"), main.__dict__)


main()
