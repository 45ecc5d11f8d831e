"""Docker, as tests use it; and a daemon of our own where a machine has none.

The daemon's images live in the cache, so that the next cluster is up in a minute. From the moment
it runs, nothing that runs in its containers reaches the machine's network: pods, services and
nodes talk to each other, and whatever goes elsewhere is dropped here.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
from collections.abc import Sequence

from tests.kind.pins import FILES, Pins, cache
from tests.kind.shell import CommandError, run, say, succeeds
from tests.kind.turns import turn
from tests.waiting import until

CLASSIC = {"DOCKER_BUILDKIT": "0"}
"""Debian's Docker has no other builder."""

RUNTIME = pathlib.Path("/usr/local/sbin/runc-lean")


def answers() -> bool:
    """Whether a daemon can be used."""
    return succeeds("docker", "info")


def is_ours() -> bool:
    """Whether the daemon that answers is the one started here."""
    if not answers():
        return False
    found = run("docker", "info", "--format", "{{.DockerRootDir}}").strip()
    return pathlib.Path(found) == _root()


def start_daemon(pins: Pins) -> None:
    """Have a daemon of our own running, with its packages installed and its containers fenced in.

    Raises:
        CommandError: a package cannot be installed, or the daemon does not start.
    """
    if not answers():
        install(pins.debian["docker"].packages)
        RUNTIME.write_bytes((FILES / "runc-lean").read_bytes())
        RUNTIME.chmod(0o755)
        say("starting Docker")
        log = cache() / "dockerd.log"
        with log.open("wb") as file:
            subprocess.Popen(
                [
                    *("dockerd", "--data-root", _root(), "--exec-root", cache() / "docker-run"),
                    *("--pidfile", _pid_file(), "--default-runtime", "lean"),
                    *("--add-runtime", f"lean={RUNTIME}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        until(answers, f"Docker to answer; see {log}", 60)
    _fence_in()


def stop_daemon() -> None:
    """End the daemon that ``start_daemon`` has started; any other one goes on."""
    if not is_ours():
        return
    pid = int(_pid_file().read_text())
    with contextlib.suppress(CommandError):
        run("iptables", "-D", *_fence())
    os.kill(pid, signal.SIGTERM)
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "Docker to end", 60)


def install(packages: Sequence[str]) -> None:
    """Install those of Debian's ``packages`` that are missing."""
    with turn("apt"):
        missing = [package for package in packages if not succeeds("dpkg", "--status", package)]
        if missing:
            say(f"installing {' '.join(missing)}")
            quietly = {"DEBIAN_FRONTEND": "noninteractive"}
            run("apt-get", "update", "-qq")
            run("apt-get", "install", "-qq", "--no-install-recommends", *missing, env=quietly)


def has_image(name: str) -> bool:
    """Whether the daemon has an image of this name."""
    return succeeds("docker", "image", "inspect", name)


def image_id(name: str) -> str:
    """What tells an image from any other of its name."""
    return run("docker", "image", "inspect", "--format", "{{.Id}}", name).strip()


def build(name: str, folder: pathlib.Path, *options: str) -> None:
    """Build the image ``name`` from the Dockerfile in ``folder``."""
    classic = CLASSIC if not succeeds("docker", "buildx", "version") else {}
    run("docker", "build", "--quiet", "--tag", name, *options, folder, env=classic)


def _root() -> pathlib.Path:
    return cache() / "docker"


def _pid_file() -> pathlib.Path:
    return cache() / "dockerd.pid"


def _fence_in() -> None:
    fence = _fence()
    if not succeeds("iptables", "-C", *fence):
        run("iptables", "-I", *fence)


def _fence() -> tuple[str, ...]:
    """The firewall's rule that drops what a container sends to anything but a container."""
    route = json.loads(run("ip", "-json", "-4", "route", "show", "default"))
    return ("DOCKER-USER", "--out-interface", route[0]["dev"], "--jump", "DROP")
