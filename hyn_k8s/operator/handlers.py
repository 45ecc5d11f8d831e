"""Where kopf ends and the operator begins: an event of any object becomes the key of a search.

kopf watches, and nothing else of it is used: no finalizers, no annotations, no handlers with a
memory. What an event says does not matter either; the search is looked at as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import kopf

from hyn_k8s.api.search_job import GROUP, PLURAL, VERSION
from hyn_k8s.kube import SEARCH_JOB, Kube
from hyn_k8s.names import SEARCH_LABEL
from hyn_k8s.operator.observation import Observation
from hyn_k8s.operator.queue import WorkQueue
from hyn_k8s.operator.reconcile import reconcile, utc_now
from hyn_k8s.operator.settings import OperatorSettings
from hyn_k8s.operator.sweeping import sweep

logger = logging.getLogger(__name__)

RESYNC_SECONDS = 60.0
"""How often every search is looked at and leftovers are swept, whatever events have come."""

HUNG_SECONDS = 5 * RESYNC_SECONDS
"""After how long without a completed round the operator says that it does not work."""

Search = tuple[str, str]
"""Namespace and name of a SearchJob."""

_WATCHED = (("", "v1", "pods"), ("apps", "v1", "deployments"), ("batch", "v1", "jobs"),
            ("kubernetes.dask.org", "v1", "daskclusters"))  # fmt: skip


class Operator:
    """The running operator: its queue, and the rounds over all searches."""

    def __init__(self, kube: Kube, settings: OperatorSettings) -> None:
        self._kube = kube
        self._settings = settings
        self.queue: WorkQueue[Search] = WorkQueue(self._reconcile)
        self._settled: dict[Search, Observation] = {}
        """What was seen of searches that have settled, and of which nothing was heard since."""
        self._heard: set[Search] = set()
        """Those of which something was heard since a look at them began."""
        self._threads = ThreadPoolExecutor(self.queue.at_once, "reconcile")
        """Of their own, since a round must not wait for them."""
        self._last_round = time.monotonic()

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run())
            tasks.create_task(self._resync())

    def check_health(self) -> str:
        """How long ago the last round was completed.

        Raises:
            RuntimeError: too long ago; or searches are not looked at.
        """
        ago = time.monotonic() - self._last_round
        if ago > HUNG_SECONDS:
            raise RuntimeError(f"the last round over all searches was {ago:.0f} s ago")
        waits = self.queue.longest_wait()
        if waits > HUNG_SECONDS:
            raise RuntimeError(f"a search has been waiting for {waits:.0f} s to be looked at")
        return f"{ago:.0f} s ago"

    def hear(self, search: Search) -> None:
        """Something of the search has changed: it is looked at, and as a whole."""
        self._heard.add(search)
        self._settled.pop(search, None)
        self.queue.add(search)

    async def _reconcile(self, search: Search) -> float | None:
        self._heard.discard(search)
        settled = self._settled.pop(search, None)
        look = await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(reconcile, self._kube, self._settings, *search, settled=settled)
        )
        if look.settled is not None and search not in self._heard:
            self._settled[search] = look.settled
        return look.again_in

    async def _resync(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                await self._round()
                self._last_round = time.monotonic()
            await asyncio.sleep(RESYNC_SECONDS)

    async def _round(self) -> None:
        try:
            for namespace in self._namespaces():
                for each in await asyncio.to_thread(self._kube.list, SEARCH_JOB, namespace):
                    self.hear((each["metadata"]["namespace"], each["metadata"]["name"]))
            await asyncio.to_thread(sweep, self._kube, self._namespaces(), utc_now())
        except Exception as error:
            logger.warning("The round over all searches failed: %s", error)
            raise

    def _namespaces(self) -> tuple[str | None, ...]:
        return self._settings.namespaces or (None,)


def search_of_itself(event: Mapping[str, Any]) -> str | None:
    """The SearchJob of an event about it, None if it tells of nothing but its status.

    That was written by the operator, which would follow its own writing without end: an ETA is
    another one each time.
    """
    found = event["object"]
    metadata = found["metadata"]
    seen = (found.get("status") or {}).get("observedGeneration")
    is_changed = metadata.get("generation") != seen or "deletionTimestamp" in metadata
    return str(metadata["name"]) if is_changed or event["type"] != "MODIFIED" else None


def search_of_child(event: Mapping[str, Any]) -> str | None:
    """The SearchJob that an object belongs to, None if to none."""
    labels: Mapping[str, str] = event["object"]["metadata"].get("labels") or {}
    return labels.get(SEARCH_LABEL)


def register(registry: kopf.OperatorRegistry, operator: Operator) -> None:
    """Have kopf tell ``operator`` what happens."""

    def heard(searched: Callable[[Mapping[str, Any]], str | None]) -> Callable[..., Any]:
        async def on_event(event: Mapping[str, Any], namespace: str | None, **_: Any) -> None:
            name = searched(event)
            if name is not None and namespace is not None:
                operator.hear((namespace, name))

        return on_event

    kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)(heard(search_of_itself))
    for group, version, plural in _WATCHED:
        labels: Any = {SEARCH_LABEL: kopf.PRESENT}
        watched = kopf.on.event(group, version, plural, labels=labels, registry=registry)
        watched(heard(search_of_child))

    @kopf.on.startup(registry=registry)
    async def start(memo: Any, **_: Any) -> None:
        memo.running = asyncio.create_task(operator.run())

    @kopf.on.cleanup(registry=registry)
    async def stop(memo: Any, **_: Any) -> None:
        memo.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await memo.running

    @kopf.on.login(registry=registry)
    def log_in(**given: Any) -> Any:
        return kopf.login_with_service_account(**given) or kopf.login_with_kubeconfig(**given)

    @kopf.on.probe(id="rounds", errors=kopf.ErrorsMode.PERMANENT, registry=registry)
    def rounds(**_: Any) -> str:
        return operator.check_health()
