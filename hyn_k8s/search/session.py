"""One process's part in a run: its settings, storage, name, cluster and searches.

Hypernets is steered by the process as a whole (one ``fs``, one place that names the dispatcher),
and experiments deep-copy hyper models with their dispatchers, so what lasts longer than one
search cannot live in a dispatcher. It lives here, in the one session a process may have at a
time. The run's directory is claimed when its first search begins: a script that fails before
leaves nothing behind.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import json
import os
import sys
import threading
import uuid
from typing import Any

from hyn_k8s.contract import RunPaths, SearchPaths
from hyn_k8s.errors import HynError, RunError
from hyn_k8s.search import binding, compat, shipping, site
from hyn_k8s.search.bucket import ensure_bucket
from hyn_k8s.search.cluster import Cluster
from hyn_k8s.search.reporting import LineReporter, Reporter
from hyn_k8s.search.results import FORMAT_VERSION, read_manifest
from hyn_k8s.search.seeding import seed_process
from hyn_k8s.search.settings import Backend, Settings
from hyn_k8s.search.storage import S3Storage, Storage, open_storage

_MAX_STEM = 50
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
        RunError: the settings name a run that is there already.
    """
    global _current
    if _current is not None:
        _current.close()
    storage = open_usable_storage(settings)
    if settings.run is not None and read_manifest(storage, settings.run) is not None:
        raise _taken(settings.run)
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
        self.storage = storage
        self.reporter = reporter
        self.run: str | None = None
        """The run's name, once a search has begun."""
        self.errors: list[HynError] = []
        """What nobody else tells: searches without a success, and what an experiment swallowed."""
        self._stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in stem)[:_MAX_STEM]
        self._searches = 0
        self._hyper_models: dict[SearchPaths, Any] = {}
        self._pipelines: dict[SearchPaths, Any] = {}
        self._cluster: Cluster | None = None
        self._lock = threading.RLock()  # a script may search in several threads
        self._manifest: dict[str, Any] = {}
        self._inline_key = f"inline-{uuid.uuid4().hex}"

    @property
    def standalone(self) -> bool:
        """Whether trials run in this process."""
        return self.settings.backend is Backend.STANDALONE

    def begin_search(self) -> SearchPaths:
        """The paths of the next search; the first one claims the run's name."""
        with self._lock:
            if self.run is None:
                self.run = self._claim()
            self._searches += 1
            return RunPaths(self.run).search(self._searches)

    def forget_search(self, paths: SearchPaths) -> None:
        """Take back the latest ``begin_search``: nothing of it, and of a run without any, stays."""
        self._searches -= 1
        first = self._searches == 0
        self.storage.delete(paths.run if first else paths.directory)
        if first:
            self.run = None

    def keep_hyper_model(self, paths: SearchPaths, hyper_model: Any) -> None:
        """Remember the stripped hyper model of a search, for loading its models in this process."""
        self._hyper_models[paths] = hyper_model

    def hyper_model(self, paths: SearchPaths) -> Any:
        """The stripped hyper model of a search of this session, None for any other search."""
        return self._hyper_models.get(paths)

    def keep_pipeline(self, pipeline: Any) -> None:
        """Write what an experiment ended in beside the latest search; nothing before the first."""
        if self.run is None:
            return
        paths = RunPaths(self.run).search(self._searches)
        try:
            self.storage.write(paths.pipeline, shipping.dumps(pipeline, "the pipeline"))
        except HynError as error:
            self.reporter.tell(f"The experiment's pipeline is not kept. {error}")
        self._pipelines[paths] = pipeline

    def pipeline(self, paths: SearchPaths) -> Any:
        """What an experiment of this session ended in at that search, None where none did."""
        return self._pipelines.get(paths)

    def cluster(self) -> Cluster:
        """The Dask cluster for the next search: the one in use, unless the script made another."""
        assert self.run is not None, "a search has begun"
        with self._lock:
            if self._cluster is not None and not self._cluster.serves():
                self._cluster.close()
                self._cluster = None
            if self._cluster is None:
                self._cluster = Cluster(self.settings, self.storage, self.run, self.reporter.tell)
            return self._cluster

    def join_inline(self) -> str:
        """Let this very process run trials; the key of its site."""
        site.enter(self._inline_key, self.storage)
        return self._inline_key

    def close(self) -> None:
        """Close the cluster and mark the run as ended; the second call does nothing."""
        global _current
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None
        site.leave(self._inline_key)
        if self.settings.seed is not None:
            seed_process(None)
        atexit.unregister(self.close)
        if self.run is not None and self._manifest.get("ended") is None:
            self._manifest["ended"] = _now()
            with contextlib.suppress(Exception):  # the storage may be what ended the run
                self.storage.delete(RunPaths(self.run).proof)
                self._write_manifest(self.run)
        self.reporter.close()
        if _current is self:
            _current = None

    def _claim(self) -> str:
        """Create the run's manifest under the user's name, or under the stem's next number."""
        self._manifest = {
            "version": FORMAT_VERSION,
            "stem": self._stem,
            "started": _now(),
            "ended": None,
        }
        named = self.settings.run
        taken = [] if named else self.storage.list("")
        number = 1 + max((_number(name, self._stem) for name in taken), default=0)
        while True:
            run = named or f"{self._stem}-{number}"
            try:
                document = json.dumps({"run": run, **self._manifest}, indent=2)
                self.storage.create(RunPaths(run).manifest, document.encode())
                return run
            except FileExistsError:
                if named:
                    raise _taken(named) from None
                number += 1

    def _write_manifest(self, run: str) -> None:
        document = json.dumps({"run": run, **self._manifest}, indent=2)
        self.storage.write(RunPaths(run).manifest, document.encode())


def _taken(run: str) -> RunError:
    return RunError(run, "there is one of this name already; choose another, or delete it first")


def _number(name: str, stem: str) -> int:
    """The number of a run of ``stem``, 0 for any other name."""
    digits = name.removeprefix(f"{stem}-")
    return int(digits) if name != digits and digits.isdecimal() else 0


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def default_stem(script: str) -> str:
    """What runs of ``script`` are called: its file name without the ending."""
    return os.path.splitext(os.path.basename(script))[0] or "run"
