"""One process's part in a run: its settings, storage, name, cluster and searches.

Hypernets is steered by the process as a whole (one ``fs``, one place that names the dispatcher),
and experiments deep-copy hyper models with their dispatchers, so what lasts longer than one
search cannot live in a dispatcher. It lives here, in the one session a process may have at a
time. Which run it is is decided when the first search begins: a script that fails before leaves
nothing behind. The run is driven, and anything of it written, from the first search on that has
something left to do.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import sys
import threading
import uuid
from typing import Any

from hyn_k8s.errors import HynError, SchedulerError, SearchError
from hyn_k8s.paths import RunPaths, SearchPaths
from hyn_k8s.search import binding, compat, runs, shipping, site, stuck
from hyn_k8s.search.cluster import Cluster, live_client
from hyn_k8s.search.embedded import EmbeddedCluster
from hyn_k8s.search.holding import RunHold
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.opening import open_usable_storage
from hyn_k8s.search.patience import while_starting
from hyn_k8s.search.reporting import LineReporter, Reporter
from hyn_k8s.search.runs import Begun
from hyn_k8s.search.seeding import seed_process
from hyn_k8s.search.settings import Backend, Settings
from hyn_k8s.search.sources import Sources, read_own_sources
from hyn_k8s.search.storage import Storage

_current: Session | None = None


def current_session() -> Session | None:
    """The session of this process, None before ``start_session``."""
    return _current


def start_session(
    settings: Settings,
    stem: str | None = None,
    reporter: Reporter | None = None,
    *,
    sources: Sources | None = None,
    will_search: bool = False,
) -> Session:
    """Begin this process's session: the storage is proved and Hypernets imported and bound.

    ``stem`` names the run when the settings do not, by default the script's name. Without a
    ``reporter`` progress goes to standard error in lines. A session that was there before is
    closed; this one ends with the process, if nobody closes it earlier. Where it ``will_search``
    soon, on the embedded cluster if nothing else is made, this starts while Hypernets is imported.

    Raises:
        RunError: the settings name a run, and something else has its name, or there is none and
            it must exist.
        StorageError: the storage cannot be reached or written.
    """
    global _current
    if _current is not None:
        _current.close()
    storage = open_usable_storage(settings.storage)
    if settings.run is not None:
        # Before the script spends an hour on its data.
        runs.read_named(while_starting(storage), settings.run, settings.must_exist)
    stem = stem or default_stem(shipping.script_name())
    reporter = reporter or LineReporter(_write_line)
    reporter.tell(f"{stem}: {_where(settings)}; results go to {storage.url}")
    session = Session(settings, storage, stem, reporter, sources or read_own_sources())
    try:
        if will_search:
            session.embed_early()
        compat.apply()
        binding.bind(storage.settings)
    except BaseException:
        session.close()
        raise
    if settings.seed is not None:
        seed_process(settings.seed)
    _current = session
    atexit.register(session.close)
    return session


def _where(settings: Settings) -> str:
    """What a user is told first: how many trials at a time, and where."""
    if settings.backend is Backend.STANDALONE:
        return "one trial at a time in this process"
    place = settings.scheduler or "this machine"
    return f"{settings.executors} trials at a time on {place}"


def _write_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Session:
    """What outlives a single search of this process; closed once, at the end."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        stem: str,
        reporter: Reporter,
        sources: Sources,
    ) -> None:
        self.settings = settings
        self.reporter = reporter
        self.errors: list[HynError] = []
        """What nobody else tells: searches without a success, and what an experiment swallowed."""
        self.unfinished: set[SearchPaths] = set()
        """The searches in which a later call has something left to do."""
        self.script_failed = False
        """Whether the script ended with an error of its own."""
        self.ends_process = False
        """Whether this process is the script's, and is over when that is."""
        self.is_terminated = False
        """Whether SIGTERM has told it to end, whatever the script made of that."""
        self.failure: HynError | None = None
        """What ended the last search, if that did not go through, whatever the script made of it.
        """
        self.raised: BaseException | None = None
        """What the script ended with, if it did not simply come to its end."""
        self.latest_search: SearchPaths | None = None
        """Where the search is that began last."""
        self.hold = RunHold(storage, settings, stem, sources, reporter.tell)
        """Which run it is, and whether it is this process's to write."""
        self.storage = self.hold.storage
        """Read by anybody; written only while this process drives the run."""
        self._impatient = storage
        self._ordinals: set[int] = set()
        """Of the searches that have begun; one that was taken back has given its own back."""
        self._hyper_models: dict[SearchPaths, Any] = {}
        self._pipelines: dict[SearchPaths, Any] = {}
        self._cluster: Cluster | None = None
        self._embedded: EmbeddedCluster | None = None
        """Started for the first search to come; no longer here once a search has it."""
        self._lock = threading.RLock()  # a script may search in several threads
        self._inline_key = f"inline-{uuid.uuid4().hex}"

    @property
    def run(self) -> str | None:
        """The run's name, once a search has begun."""
        return self.hold.run

    @property
    def standalone(self) -> bool:
        """Whether trials run in this process."""
        return self.settings.backend is Backend.STANDALONE

    @property
    def dashboard(self) -> str | None:
        """The URL of Dask's dashboard, None while it is unknown."""
        return self._cluster.dashboard if self._cluster else None

    def embed_early(self) -> None:
        """Let the embedded cluster start, where the settings name no other and trials need one."""
        if not self.standalone and self.settings.scheduler is None:
            self._embedded = EmbeddedCluster()

    def note_terminated(self) -> None:
        """SIGTERM has told the process to end."""
        self.is_terminated = True

    def begin_search(self, identity: Identity) -> Begun:
        """The next search, where it is or where it begins; the first one decides on the run.

        Raises:
            RunError: the named run has another search there.
        """
        with self._lock:
            ordinal = next(n for n in itertools.count(1) if n not in self._ordinals)
            begun = self.hold.open_search(ordinal, identity)
            self._ordinals.add(ordinal)
            self._note_begun(begun)
            return begun

    def look_again(self, begun: Begun, identity: Identity) -> Begun:
        """The search ``begun`` as it is now that no other driver can change it any more.

        Raises:
            RunError: the named run has another search there.
        """
        with self._lock:
            found = self.hold.open_search(begun.paths.ordinal, identity)
            if found != begun:
                self.unfinished.discard(begun.paths)
                self._note_begun(found)
            return found

    def _note_begun(self, begun: Begun) -> None:
        self.latest_search = begun.paths
        self.unfinished.add(begun.paths)
        if begun.differing:
            first = RunPaths(begun.paths.run).search(begun.paths.ordinal).name
            what = f"{first} begins anew as {begun.paths.name}: {'; '.join(begun.differing)}"
            self.reporter.tell(f"Warning: {begun.paths.run}/{what}")

    def forget_search(self, begun: Begun) -> None:
        """Take back a ``begin_search``: nothing of it, and of a new run without any, stays."""
        with self._lock:
            self._ordinals.discard(begun.paths.ordinal)
            try:
                if begun.new:
                    self.unfinished.discard(begun.paths)
                    self.hold.forget_search(begun.paths)
            finally:
                if not self._ordinals:
                    self.hold.forget()

    def impatience(self) -> contextlib.AbstractContextManager[None]:
        """Within, nothing is tried twice on the storage, which is known to be away."""
        return self.hold.impatience()

    def keep_hyper_model(self, paths: SearchPaths, hyper_model: Any) -> None:
        """Remember the stripped hyper model of a search, for loading its models in this process."""
        self._hyper_models[paths] = hyper_model

    def hyper_model(self, paths: SearchPaths) -> Any:
        """The stripped hyper model of a search of this session, None for any other search."""
        return self._hyper_models.get(paths)

    def keep_pipeline(self, pipeline: Any) -> None:
        """Write what an experiment ended in beside the latest search; nothing before the first."""
        if self.latest_search is None:
            return
        paths = self.latest_search
        self._pipelines[paths] = pipeline
        kept = paths.pipeline.rpartition("/")[2] in self.storage.list(paths.directory)
        if kept and not self.hold.is_driving:
            return  # of a finished run, which stays as it is
        try:
            self.hold.drive()
            self.storage.write(paths.pipeline, shipping.dumps(pipeline, "the pipeline"))
        except HynError as error:
            self.reporter.tell(f"The experiment's pipeline is not kept. {error}")

    def pipeline(self, paths: SearchPaths) -> Any:
        """What an experiment of this session ended in at that search, None where none did."""
        return self._pipelines.get(paths)

    def cluster(self) -> Cluster:
        """The Dask cluster for the next search: the one in use, unless the script made another.

        Raises:
            SchedulerError: no scheduler answers.
            WorkerError: a worker does not fit the run.
        """
        assert self.run is not None, "a search has begun"
        with self._lock:
            if self._cluster is not None and not self._cluster.serves():
                self._close_cluster()
            if self._cluster is None:
                held = self.hold.drive()
                self._cluster = Cluster(
                    self.settings,
                    self.storage,
                    self.run,
                    held.key,
                    held.epoch,
                    self.reporter.tell,
                    self._embed,
                )
                self._close_embedded()  # the script has made a cluster of its own
            return self._cluster

    def cluster_again(self) -> Cluster:
        """The cluster whose scheduler went away, once it is back or has been replaced.

        Raises:
            SchedulerError: it is not back yet.
        """
        with self._lock:
            if self._cluster is not None and self._cluster.is_users and live_client() is None:
                raise SchedulerError(self._cluster.address, "the script's client has lost it")
            self._close_cluster()
            return self.cluster()

    def _close_cluster(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None

    def _embed(self) -> EmbeddedCluster:
        """The embedded cluster that has been started already, or one that begins to start now."""
        embedded, self._embedded = self._embedded, None
        return embedded or EmbeddedCluster()

    def _close_embedded(self) -> None:
        if self._embedded is not None:
            self._embedded.close()
            self._embedded = None

    def end_if_stuck(self, thread: int, error: HynError) -> None:
        """End the process if ``error`` is the storage's, and the trial in ``thread`` hangs in it.

        Nothing where trials run elsewhere, or where the process is not the script's.
        """
        if self.standalone and self.ends_process:
            seconds = self.settings.storage.answer_seconds
            stuck.end_if_stuck(thread, error, seconds, self.reporter)

    def join_inline(self) -> str:
        """Let this very process run trials; the key of its site."""
        site.enter(self._inline_key, self._impatient)
        return self._inline_key

    def close(self) -> None:
        """Close the cluster and let the run go; the second call does nothing."""
        global _current
        self._close_cluster()
        self._close_embedded()
        site.leave(self._inline_key)
        if self.settings.seed is not None:
            seed_process(None)
        atexit.unregister(self.close)
        ended = not self._is_left_unfinished()
        if ended:
            self.hold.note_end()
        self.hold.let_go(ended)
        if self.hold.taken is not None and self.hold.taken not in self.errors:
            self.errors.append(self.hold.taken)
        self.reporter.close()
        if _current is self:
            _current = None

    def _is_left_unfinished(self) -> bool:
        """Whether a later call of the same script has something left to do."""
        swallowed = any(not isinstance(error, SearchError) for error in self.errors)
        # An uncaught exception of a script, when Python itself runs it, is known by this only.
        script = getattr(sys.modules.get("__main__"), "__file__", None) is not None
        raised = script and getattr(sys, "last_type", None) is not None
        return bool(self.unfinished) or self.script_failed or swallowed or raised


def default_stem(script: str) -> str:
    """What runs of ``script`` are called: its file name without the ending."""
    return os.path.splitext(os.path.basename(script))[0] or "run"
