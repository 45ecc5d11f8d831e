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
import os
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

from hyn_k8s.contract import RunPaths, SearchPaths
from hyn_k8s.errors import HynError, SchedulerError, SearchError
from hyn_k8s.search import binding, compat, lease, runs, shipping, site
from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.cluster import Cluster, live_client
from hyn_k8s.search.identity import Identity
from hyn_k8s.search.lease import Lease
from hyn_k8s.search.patience import PatientStorage
from hyn_k8s.search.reporting import LineReporter, Reporter
from hyn_k8s.search.results import read_manifest
from hyn_k8s.search.runs import Begun
from hyn_k8s.search.seeding import seed_process
from hyn_k8s.search.settings import Backend, Settings
from hyn_k8s.search.storage import S3Storage, Storage, open_storage

_current: Session | None = None


def current_session() -> Session | None:
    """The session of this process, None before ``start_session``."""
    return _current


def start_session(
    settings: Settings, stem: str | None = None, reporter: Reporter | None = None
) -> Session:
    """Begin this process's session: the storage is proved and Hypernets imported and bound.

    ``stem`` names the run when the settings do not, by default the script's name. Without a
    ``reporter`` progress goes to standard error in lines. A session that was there before is
    closed; this one ends with the process, if nobody closes it earlier.

    Raises:
        StorageError: the storage cannot be reached or written.
    """
    global _current
    if _current is not None:
        _current.close()
    storage = open_usable_storage(settings)
    stem = stem or default_stem(shipping.script_name())
    reporter = reporter or LineReporter(_write_line)
    reporter.tell(f"{stem}: {_where(settings)}; results go to {storage.url}")
    compat.apply()
    binding.bind(storage.settings)
    if settings.seed is not None:
        seed_process(settings.seed)
    _current = Session(settings, storage, stem, reporter)
    atexit.register(_current.close)
    return _current


def _where(settings: Settings) -> str:
    """What a user is told first: how many trials at a time, and where."""
    if settings.backend is Backend.STANDALONE:
        return "one trial at a time in this process"
    place = settings.scheduler or "this machine"
    return f"{settings.executors} trials at a time on {place}"


def _write_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def open_usable_storage(settings: Settings) -> Storage:
    """The storage of ``settings``, its bucket made if missing, proved by a write and a read."""
    storage = open_storage(settings.storage)
    if isinstance(storage, S3Storage):
        ensure_bucket(storage)
    storage.prove(f".storage-proof-{uuid.uuid4().hex}")
    return storage


class Session:
    """What outlives a single search of this process; closed once, at the end."""

    def __init__(self, settings: Settings, storage: Storage, stem: str, reporter: Reporter) -> None:
        self.settings = settings
        self.storage = PatientStorage(storage, reporter.tell)
        self.reporter = reporter
        self.run: str | None = None
        """The run's name, once a search has begun."""
        self.errors: list[HynError] = []
        """What nobody else tells: searches without a success, and what an experiment swallowed."""
        self.unfinished: set[SearchPaths] = set()
        """The searches in which a later call has something left to do."""
        self.is_taken = False
        """Whether another driver has taken the run over: then nothing of it is written here."""
        self.script_failed = False
        """Whether the script ended with an error of its own."""
        self._impatient = storage
        self._stem = runs.clean_stem(stem)
        self._script = ""
        """What tells the script, which has not begun yet, from others."""
        self._searches = 0
        self._hyper_models: dict[SearchPaths, Any] = {}
        self._pipelines: dict[SearchPaths, Any] = {}
        self.latest_search: SearchPaths | None = None
        """Where the search is that began last."""
        self._cluster: Cluster | None = None
        self._lock = threading.RLock()  # a script may search in several threads
        self._manifest: dict[str, Any] = {}
        self._is_new = False
        self._lease: Lease | None = None
        self._earlier_keys: list[str] = []
        self._on_lost: list[Callable[[HynError], None]] = []
        self._inline_key = f"inline-{uuid.uuid4().hex}"

    @property
    def standalone(self) -> bool:
        """Whether trials run in this process."""
        return self.settings.backend is Backend.STANDALONE

    def begin_search(self, identity: Identity) -> Begun:
        """The next search, where it is or where it begins; the first one decides on the run.

        Raises:
            RunError: the named run has another search there.
        """
        with self._lock:
            if self.run is None:
                self._choose_run(identity)
            begun = runs.open_search(
                self.storage,
                self._manifest,
                self._searches + 1,
                identity,
                self._script,
                self.settings.restart,
                self.reporter.tell,
            )
            self._searches += 1
            self.latest_search = begun.paths
            self.unfinished.add(begun.paths)
            return begun

    def forget_search(self, begun: Begun) -> None:
        """Take back a ``begin_search``: nothing of it, and of a new run without any, stays."""
        with self._lock:
            self._searches -= 1
            self.unfinished.discard(begun.paths)
            first = self._searches == 0
            whole = first and self._is_new
            if first:
                self._let_go(abandoned=whole or self.is_taken, ended=False)
                self.run = None
            if begun.new and not self.is_taken:
                self.storage.delete(begun.paths.run if whole else begun.paths.directory)

    def drive(self) -> Lease:
        """Become the run's driver, if this process is not yet; the hold it has on the run.

        Raises:
            RunTakenError: another driver is alive and holds it.
        """
        assert self.run is not None, "a search has begun"
        with self._lock:
            if self._lease is None:
                self._lease = lease.claim(
                    self.storage, self.run, self.reporter.tell, self._lose_run
                )
                claims = lease.read_claims(self.storage, self.run)
                self._earlier_keys = [claim.key for claim in claims[:-1]]
                changed = {"script": self._script, "ended": None}
                if {**self._manifest, **changed} != self._manifest:
                    self._manifest.update(changed)
                    self._write_manifest()
            return self._lease

    def when_lost(self, call: Callable[[HynError], None]) -> None:
        """Call ``call``, in another thread, when this driver loses its hold on the run."""
        self._on_lost.append(call)

    def _lose_run(self, error: HynError) -> None:
        for call in self._on_lost:
            call(error)

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
        if kept and self._lease is None:
            return  # of a finished run, which stays as it is
        try:
            self.drive()
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
                held = self.drive()
                self._cluster = Cluster(
                    self.settings,
                    self.storage,
                    self.run,
                    held.key,
                    self._earlier_keys,
                    self.reporter.tell,
                )
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

    def join_inline(self) -> str:
        """Let this very process run trials; the key of its site."""
        site.enter(self._inline_key, self._impatient)
        return self._inline_key

    def close(self) -> None:
        """Close the cluster and let the run go; the second call does nothing."""
        global _current
        self._close_cluster()
        site.leave(self._inline_key)
        if self.settings.seed is not None:
            seed_process(None)
        atexit.unregister(self.close)
        self._let_go(abandoned=self.is_taken, ended=not self._is_left_unfinished())
        self.reporter.close()
        if _current is self:
            _current = None

    def _let_go(self, abandoned: bool, ended: bool) -> None:
        """Stop driving the run; if it is not ``abandoned`` say so, and whether it has ended."""
        held, self._lease = self._lease, None
        if held is None:
            return
        if abandoned:
            held.abandon()
            return
        storage = self._impatient
        with contextlib.suppress(HynError):  # the storage may be what ended the run
            storage.delete(RunPaths(self.run or "").proof)
            if ended:
                self._manifest["ended"] = runs.now()
                storage.write(RunPaths(self.run or "").manifest, runs.encode(self._manifest))
            held.release(storage)

    def _is_left_unfinished(self) -> bool:
        """Whether a later call of the same script has something left to do."""
        swallowed = any(not isinstance(error, SearchError) for error in self.errors)
        # An uncaught exception of a script, when Python itself runs it, is known by this only.
        script = getattr(sys.modules.get("__main__"), "__file__", None) is not None
        raised = script and getattr(sys, "last_type", None) is not None
        return bool(self.unfinished) or self.script_failed or swallowed or raised

    def _choose_run(self, identity: Identity) -> None:
        """Find the run to be continued, or begin one."""
        self._script = runs.read_script()
        named, found = self.settings.run, None
        if named is not None:
            found = read_manifest(self.storage, named)
        elif not self.settings.restart:
            found = runs.find_unfinished(
                self.storage, self._stem, self._script, identity, self.reporter.tell
            )
        if found is None:
            try:
                found = runs.create_run(self.storage, named, self._stem, self._script)
                self._is_new = True
            except FileExistsError:  # another driver of this name was faster
                found = read_manifest(self.storage, named or "")
        assert found is not None
        self._manifest = found
        self.run = str(found["run"])

    def _write_manifest(self) -> None:
        path = RunPaths(self._manifest["run"]).manifest
        self.storage.write(path, runs.encode(self._manifest))


def default_stem(script: str) -> str:
    """What runs of ``script`` are called: its file name without the ending."""
    return os.path.splitext(os.path.basename(script))[0] or "run"
