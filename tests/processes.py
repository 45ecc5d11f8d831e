"""Real processes for tests: Dask schedulers and workers as on other nodes, S3, the command.

Dask processes get a directory and an environment of their own, with nothing of ours in it, and
talk over TCP. Everything started here is stopped by the one who started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from minio import Minio

from tests.fork_server import Process, bare, can_fork, fork
from tests.waiting import until

ROOT = pathlib.Path(__file__).parents[1]
BIN = pathlib.Path(sys.executable).parent
BARE_ENVIRONMENT = {
    key: value
    for key, value in bare(os.environ).items()
    if not key.startswith(("HYN_", "DASK_", "AWS_"))
}
"""This process's environment without anything that steers us, Dask or S3."""


QUIET = {
    "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "fork",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "500ms",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
"""What makes Dask's processes cheap: a nanny forks its worker, which has all libraries then; and no
process looks at itself a hundred times a second, which takes a twentieth of a processor each."""


PRELOAD = ("--preload", "hyn_k8s.search.preload")
"""Lets a worker keep its trial host from one run to the next, which takes seconds to start."""


@dataclass
class DaskCluster:
    """A scheduler and its workers, each a process."""

    folder: pathlib.Path
    address: str
    scheduler: Process
    nannies: bool
    """Whether a worker that is killed comes back; a nanny is one more process for each."""
    workers: dict[str, Process] = field(default_factory=dict)

    def add_worker(
        self,
        name: str,
        prefix: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> Process:
        """Start a one-thread worker; ``prefix`` is a command to start it under."""
        home = self.folder / name
        home.mkdir()
        command = [*prefix, sys.executable, "-m", "dask", "worker", self.address, "--name", name]
        command += ["--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
        command += ["--nanny" if self.nannies else "--no-nanny", *options]
        worker = start(command, home, {**QUIET, **(env or {})}, self.folder / f"{name}.log")
        self.workers[name] = worker
        return worker

    def log(self, name: str) -> str:
        """What the worker ``name`` has written."""
        return (self.folder / f"{name}.log").read_text()

    def close(self) -> None:
        for process in [*self.workers.values(), self.scheduler]:
            stop(process)


def start(
    command: list[str], cwd: pathlib.Path, env: Mapping[str, str] | None, log: pathlib.Path
) -> Process:
    """Start ``command`` in a group of its own, its output going to ``log``."""
    environ = {**BARE_ENVIRONMENT, **(env or {})}
    with log.open("wb") as file:
        if can_fork(command, environ):
            return fork(command, cwd, environ, file.fileno(), file.fileno())
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def stop(process: Process) -> None:
    """End the whole group of ``process``."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def dask_cluster(
    folder: pathlib.Path, workers: int, port: int = 0, nannies: bool = False
) -> Iterator[DaskCluster]:
    """A scheduler, at any port for 0, with ``workers`` workers named node-1, node-2, ..."""
    identity = folder / "scheduler.json"
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1"]
    command += [
        "--port",
        str(port),
        "--dashboard-address",
        "127.0.0.1:0",
        "--scheduler-file",
        str(identity),
    ]
    process = start(command, folder, QUIET, folder / "scheduler.log")
    try:
        until(lambda: identity.exists() and identity.read_text(), "the scheduler's file")
        address = json.loads(identity.read_text())["address"]
        cluster = DaskCluster(folder, address, process, nannies)
    except BaseException:
        stop(process)
        raise
    try:
        for number in range(1, workers + 1):
            cluster.add_worker(f"node-{number}", options=PRELOAD)
        yield cluster
    finally:
        cluster.close()


@dataclass(frozen=True)
class S3Server:
    """An S3 server that checks credentials."""

    endpoint: str
    access_key: str
    secret_key: str
    log: pathlib.Path
    """A line for each request that it has answered, with the path that was asked for."""

    @property
    def options(self) -> str:
        """HYN_STORAGE_OPTIONS without keys."""
        return json.dumps({"client_kwargs": {"endpoint_url": self.endpoint}})

    @property
    def env(self) -> dict[str, str]:
        """The variables that reach it, keys in our own two."""
        return {
            "HYN_STORAGE_TYPE": "s3",
            "HYN_STORAGE_OPTIONS": self.options,
            "HYN_STORAGE_ACCESS_KEY": self.access_key,
            "HYN_STORAGE_SECRET_KEY": self.secret_key,
        }

    def client(self) -> Minio:
        """A client of another make than the one under test."""
        host = self.endpoint.removeprefix("http://")
        return Minio(
            endpoint=host, access_key=self.access_key, secret_key=self.secret_key, secure=False
        )

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object of ``bucket``."""
        client = self.client()
        found = {}
        for each in client.list_objects(bucket_name=bucket, recursive=True):
            name = str(each.object_name)
            found[name] = client.get_object(bucket_name=bucket, object_name=name).read()
        return found


@contextlib.contextmanager
def s3_server(folder: pathlib.Path) -> Iterator[S3Server]:
    """moto's server with one user, and authentication switched on."""
    port = free_port()
    command = [sys.executable, "-m", "tests.s3_server", str(port)]
    process = start(command, folder, {"PYTHONPATH": str(ROOT)}, folder / "s3.log")
    try:
        endpoint = f"http://127.0.0.1:{port}"
        until(lambda: _answers(endpoint), "moto's server")
        access_key, secret_key = _make_user(endpoint)
        _post(f"{endpoint}/moto-api/reset-auth", b"0")
        yield S3Server(endpoint, access_key, secret_key, folder / "s3.log")
    finally:
        stop(process)


def free_port() -> int:
    """A TCP port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections at a TCP port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _answers(endpoint: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{endpoint}/moto-api/"):
        return True
    return False


def _post(url: str, data: bytes) -> None:
    request = urllib.request.Request(url, data, {"Content-Type": "text/plain"}, method="POST")
    with urllib.request.urlopen(request):
        pass


def _make_user(endpoint: str) -> tuple[str, str]:
    """A user of moto's IAM who may do everything with S3."""
    import boto3

    iam = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="setup",
        aws_secret_access_key="setup",
    )
    iam.create_user(UserName="hypernets")
    statement = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="hypernets", PolicyName="s3", PolicyDocument=policy)
    key = iam.create_access_key(UserName="hypernets")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def run_cli(
    *arguments: str,
    cwd: pathlib.Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 180.0,
    prefix: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run ``hyn-k8s`` with ``arguments`` as a user would, to its end."""
    command = [*prefix, str(BIN / "hyn-k8s"), *arguments]
    return run(command, cwd, {**BARE_ENVIRONMENT, **(env or {})}, timeout)


def run_python(
    *arguments: str,
    cwd: pathlib.Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 180.0,
) -> subprocess.CompletedProcess[str]:
    """Run ``python`` with ``arguments`` to its end."""
    return run([sys.executable, *arguments], cwd, {**BARE_ENVIRONMENT, **(env or {})}, timeout)


def run(
    command: Sequence[str], cwd: pathlib.Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run ``command``, with ``env`` as its whole environment, to its end.

    Raises:
        subprocess.TimeoutExpired: it has not ended within ``timeout`` seconds, and is killed.
    """
    if not can_fork(command, env):
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
        )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = fork(command, cwd, env, out.fileno(), err.fileno())
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            stop(process)
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())
