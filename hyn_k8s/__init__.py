"""hyn-k8s: Hypernets searches whose trials run in parallel on Dask, over shared storage.

The map of the package::

    cli        hyn-k8s run | results
    driver     python -m hyn_k8s.driver: the pod that runs a search in a cluster
    operator   python -m hyn_k8s.operator: makes of a SearchJob what it says
    release    python -m hyn_k8s.release: the hooks of the Helm chart
    search     what a search is made of; knows Hypernets and Dask, and nothing of Kubernetes
    objects    the Kubernetes objects of a search; knows nothing of Hypernets and Dask
    api_server the API server, as
    kube       what the operator asks of a cluster
    api        the type SearchJob, and the CustomResourceDefinition made of it
    contract   every name that crosses a border: variables, exit codes, mounts
    paths      every path of a run on the shared storage
    documents  what operator and driver tell each other
    names      what the objects of a search are called
    errors     every error, and the sentence it says

The public door is this module: ``enable()`` in a notebook or at the top of a script,
``DaskDispatcher`` for ``HyperModel(dispatcher=...)``, ``load_best()`` for a run's best model, and
the errors. Importing it is cheap: Hypernets and Dask are imported when they are first needed.
"""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from hyn_k8s.errors import (
    ClusterError,
    HynError,
    ReleaseError,
    RunError,
    RunTakenError,
    SchedulerError,
    ScriptError,
    SearchError,
    SettingsError,
    SpecError,
    StorageError,
    WorkerError,
)

if TYPE_CHECKING:
    from hyn_k8s.search.dispatcher import DaskDispatcher

__version__ = _version("hyn-k8s")

__all__ = [
    "ClusterError",
    "DaskDispatcher",
    "HynError",
    "ReleaseError",
    "RunError",
    "RunTakenError",
    "SchedulerError",
    "ScriptError",
    "SearchError",
    "SettingsError",
    "SpecError",
    "StorageError",
    "WorkerError",
    "__version__",
    "enable",
    "load_best",
]


def enable(
    *,
    executors: int | None = None,
    scheduler: str | None = None,
    storage_type: str | None = None,
    storage_root: str | None = None,
    backend: str | None = None,
    run: str | None = None,
    seed: int | None = None,
    ordered: bool | None = None,
    trial_timeout: float | None = None,
    memory: int | str | None = None,
    restart: bool = False,
) -> None:
    """Run the trials of every following ``search()`` of this process in parallel on Dask.

    Call it before Hypernets is imported: it brings the fixes that Hypernets needs on current
    libraries. What is not given comes from the HYN_ variables, see the README. Under
    ``hyn-k8s run`` it changes nothing, since there all of it is in place; called again, it ends
    what was in place and begins anew.

    Args:
        executors: trials in flight, at least 1; HYN_SEARCH_EXECUTORS, else 3.
        scheduler: a Dask scheduler's address; DASK_SCHEDULER_ADDRESS, else an embedded cluster.
            A live ``dask.distributed.Client`` of this process wins over both.
        storage_type: ``file`` or ``s3``; HYN_STORAGE_TYPE, else ``file``.
        storage_root: a directory, or ``/bucket/prefix``; HYN_STORAGE_ROOT, else ``./workdir``.
        backend: ``dask`` or ``standalone``; HYN_SEARCH_BACKEND, else ``dask``.
        run: the run's name, which is continued if it is there; HYN_RUN_ID, else the unfinished
            run of the same script, else the script's name and a new number.
        seed: what random numbers begin with, 0 to 4294967295; HYN_SEARCH_SEED, else none.
        ordered: tell the searcher in the order of the trials, so that with a seed the trials are
            the same every time; HYN_SEARCH_ORDERED, else False.
        trial_timeout: seconds after which a trial is stopped and has failed, above 0;
            HYN_SEARCH_TRIAL_TIMEOUT, else none.
        memory: how much a trial may take on a worker, in bytes or as ``"2GB"``, 300 MB or more;
            HYN_SEARCH_MEMORY, else the machine's memory over the executors.
        restart: begin anew where an unfinished run would be continued.

    Raises:
        SettingsError: one of these, or its variable, has a wrong value.
        StorageError: the storage cannot be reached or written.
    """
    import dataclasses

    from hyn_k8s import contract
    from hyn_k8s.search import activation, runner
    from hyn_k8s.search.settings import read_settings

    if runner.is_running():
        return
    flags = {
        contract.EXECUTORS: None if executors is None else str(executors),
        contract.SCHEDULER: scheduler,
        contract.STORAGE_TYPE: storage_type,
        contract.STORAGE_ROOT: storage_root,
        contract.BACKEND: backend,
        contract.RUN_ID: run,
        contract.SEED: None if seed is None else str(seed),
        contract.ORDERED: None if ordered is None else str(int(ordered)),
        contract.TRIAL_TIMEOUT: None if trial_timeout is None else str(trial_timeout),
        contract.MEMORY: None if memory is None else str(memory),
    }
    activation.activate(dataclasses.replace(read_settings(flags), restart=restart))


def load_best(run: str | None = None, *, trial: int | None = None) -> Any:
    """The fitted model of the best trial of a run's last search, from file or S3 storage.

    Of a multi-objective search it is the best by the first objective; of an experiment, what
    ``experiment.run()`` returned: the whole pipeline. The storage is the one the HYN_STORAGE_
    variables name.

    Args:
        run: the run's name; by default the one begun last.
        trial: another trial of that search to load instead.

    Raises:
        RunError: there is no such run or trial, or it left no model.
        StorageError: the storage cannot be reached.
    """
    from hyn_k8s.search.loading import load_best as load

    return load(run, trial)


def __getattr__(name: str) -> Any:
    if name == "DaskDispatcher":
        from hyn_k8s.search import compat
        from hyn_k8s.search.dispatcher import DaskDispatcher

        compat.apply()  # whoever passes a dispatcher imports Hypernets next
        return DaskDispatcher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
