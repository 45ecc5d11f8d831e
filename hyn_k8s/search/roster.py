"""Which workers of a Dask cluster take part in a run.

Each worker that is there, or comes later, is asked whether it fits: it needs the driver's versions
and the driver's storage. Those that fit join the run, and only they are given trials. Nothing else
is done to a worker that does not fit: it is named to the user, and stays in its cluster as it was.

Workers are asked beside each other, so one that does not answer keeps nobody waiting. All of this
happens in the event loop of the Dask client.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from distributed import Client

from hyn_k8s.errors import WorkerError
from hyn_k8s.search.joining import join_run, leave_run, stop_trials
from hyn_k8s.search.trial_messages import JoinRun
from hyn_k8s.search.versions import mismatch, versions
from hyn_k8s.search.worker_runs import JOIN_SECONDS

EVERYTHING = "all"
"""Dask's topic of what happens in a cluster."""

ANSWER_SECONDS = JOIN_SECONDS + 30
"""How long a worker may take to say whether it fits, before it counts as one that does not."""

OTHERS_SECONDS = 10.0
"""How long a driver waits for other workers once one has joined, before it begins without them."""

MOMENT_SECONDS = 60.0
"""How long after a worker has left a trial that is lost may have been on it."""

LEAVE_SECONDS = 5.0
"""How long workers may take to leave the run, before the driver ends without their answer."""


class Roster:
    """The workers of ``client``'s cluster, by address.

    ``refused`` hears, in the event loop, of each worker that does not fit; ``changed`` is called
    there when a worker has joined or gone.
    """

    def __init__(
        self,
        client: Client,
        request: JoinRun,
        refused: Callable[[WorkerError], None],
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._request = request
        self._tell_refused = refused
        self._tell_changed = changed
        self._joined: set[str] = set()
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, WorkerError] = {}
        self._told: set[str] = set()
        """Those of which the user has heard that they do not fit."""
        self._invited: set[str] = set()
        """Those that were asked to join, whatever came of it: they may take part, or have done."""
        self._leaving: dict[str, float] = {}
        """When those that were asked to leave the cluster did so, on the monotonic clock."""
        self._is_read = False
        self._answered = threading.Condition()

    def joined(self) -> list[str]:
        """The addresses of the workers that take part in the run."""
        return list(self._joined)

    def refusal(self) -> WorkerError | None:
        """Why no worker takes part, if all that are there do not fit."""
        if self._joined or self._asked or not self._refused:
            return None
        return next(iter(self._refused.values()))

    def is_leaving(self, address: str) -> bool:
        """Whether a worker was asked to leave the cluster.

        With no address, whether any was a moment ago: then it may be that one.
        """
        if address:
            return address in self._leaving
        since = time.monotonic() - MOMENT_SECONDS
        return any(at >= since for at in list(self._leaving.values()))

    def begin(self) -> None:
        """Ask those that are there; return when all have answered, or enough of them.

        Raises:
            WorkerError: there are workers, and none of them fits.
        """
        self._client.subscribe_topic(EVERYTHING, self._hear)
        self._client.loop.add_callback(self.read_workers)
        with self._answered:
            self._answered.wait_for(self._is_settled)
            self._answered.wait_for(lambda: not self._asked, OTHERS_SECONDS)
        refusal = self.refusal()
        if refusal is not None:
            raise refusal

    def leave(self) -> None:
        """Let all workers leave the run."""
        self._client.unsubscribe_topic(EVERYTHING)
        for task in list(self._asked.values()):
            self._client.loop.add_callback(task.cancel)
        for address in {*self._joined, *self._asked, *self._refused}:
            self._hear_no_more(address)
        self._broadcast(leave_run, self._request.key)

    def stop(self, tasks: list[str]) -> None:
        """Kill the trials of these Dask tasks, wherever they run."""
        if tasks:
            self._broadcast(stop_trials, tasks)

    def refuse(self, address: str, error: WorkerError) -> None:
        """A worker that has joined cannot run trials any more; from any thread."""
        self._client.loop.add_callback(self._refuse, address, error)

    def ask_again(self, address: str) -> None:
        """A worker that had joined takes no part any more, and may again; from any thread."""
        self._client.loop.add_callback(self._add, address)

    def _refuse(self, address: str, error: WorkerError) -> None:
        if address in self._joined:
            self._joined.remove(address)
            self._note_refused(address, error)
            self._note_change()

    def _note_refused(self, address: str, error: WorkerError) -> None:
        self._refused[address] = error
        if address not in self._told:
            self._told.add(address)
            self._tell_refused(error)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Something has happened to the cluster."""
        _, message = event
        if message.get("action") == "add-worker":
            self._leaving.pop(message["worker"], None)
            self._add(message["worker"])
        elif message.get("action") == "remove-worker":
            if message.get("expected"):
                self._leaving[message["worker"]] = time.monotonic()
            self._remove(message["worker"])

    def _hear_worker(self, address: str, event: tuple[float, dict[str, Any]]) -> None:
        """Something has happened to one worker."""
        _, message = event
        if message.get("action") == "closing-worker":
            self._leaving[address] = time.monotonic()

    def _add(self, address: str) -> None:
        self._refused.pop(address, None)
        if address not in self._asked:
            self._joined.discard(address)
            self._client.subscribe_topic(address, functools.partial(self._hear_worker, address))
            self._asked[address] = asyncio.ensure_future(self._ask(address))

    def _remove(self, address: str) -> None:
        task = self._asked.pop(address, None)
        if task is not None:
            task.cancel()
        self._refused.pop(address, None)
        self._joined.discard(address)
        self._invited.discard(address)
        self._hear_no_more(address)
        self._note_change()

    def _hear_no_more(self, address: str) -> None:
        with contextlib.suppress(ValueError):
            self._client.unsubscribe_topic(address)

    async def read_workers(self) -> None:
        """Ask those that are new, and forget those that are gone."""
        with contextlib.suppress(Exception):  # without a scheduler there are none
            found = (await self._client.scheduler.identity(n_workers=-1))["workers"]
            for address in {*self._joined, *self._asked, *self._refused} - set(found):
                self._remove(address)
            for address, refused in list(self._refused.items()):
                if refused.retry:
                    self._add(address)
            for address in found:
                if not any(address in each for each in (self._joined, self._asked, self._refused)):
                    self._add(address)
        self._is_read = True
        self._note_change()

    async def _ask(self, address: str) -> None:
        try:
            problem = await asyncio.wait_for(self._join(address), ANSWER_SECONDS)
        except TimeoutError:
            sentence = f"it did not answer within {ANSWER_SECONDS:.0f} s"
            problem = WorkerError(address, sentence, lasting=False)
        except OSError as error:
            problem = WorkerError(address, f"it does not answer ({error})", lasting=False)
        except Exception as error:
            line = f"{type(error).__name__}: {error}".partition("\n")[0]
            problem = WorkerError(address, f"it could not join the run: {line}")
        self._asked.pop(address, None)
        if problem is None:
            self._joined.add(address)
        else:
            self._note_refused(address, problem)
        self._note_change()

    async def _join(self, address: str) -> WorkerError | None:
        """Ask one worker to join; why it does not, if it does not."""
        mine = versions()
        packages = [name for name in mine if name != "python"]
        answers = await self._client.scheduler.broadcast(
            msg={"op": "versions", "packages": packages}, workers=[address]
        )
        problem = mismatch(mine, _versions_in(answers[address]))
        if problem is not None:
            return WorkerError(address, problem)
        self._invited.add(address)
        answers = await self._client.run(
            join_run,
            self._client.id,
            self._request,
            workers=[address],
            on_error="return",
            asynchronous=True,
        )
        answer = answers[address]
        if isinstance(answer, WorkerError):
            return answer.with_traceback(None)
        if isinstance(answer, BaseException):
            raise answer
        return None

    def _is_settled(self) -> bool:
        return self._is_read and (bool(self._joined) or not self._asked)

    def _note_change(self) -> None:
        with self._answered:
            self._answered.notify_all()
        self._tell_changed()

    def _broadcast(self, function: Any, argument: Any) -> None:
        """Let all workers that may take part call ``function``; those that are gone need not."""
        workers = list(self._invited)
        if not workers or self._client.status != "running":
            return
        with contextlib.suppress(Exception):
            self._client.run(
                function,
                argument,
                workers=workers,
                on_error="ignore",
                callback_timeout=LEAVE_SECONDS,
            )


def _versions_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """The versions in what Dask says of a worker, as ``versions`` gives them."""
    found = {name: version or "missing" for name, version in answer["packages"].items()}
    found["python"] = ".".join(answer["host"]["python"].split(".")[:2])
    return found
