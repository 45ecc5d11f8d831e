"""Where an Outcome is left: in the pod's termination message, and with the run on the storage.

The message comes first, since it needs nothing but the pod. The storage keeps the Outcome for the
day when the pod is gone and nobody has read it; one that is away is not waited for, and never
hides the outcome.
"""

from __future__ import annotations

import sys
import threading

from hyn_k8s.documents import Outcome
from hyn_k8s.errors import HynError
from hyn_k8s.paths import RunPaths
from hyn_k8s.search.opening import open_storage
from hyn_k8s.search.patience import while_starting
from hyn_k8s.search.runs import read_named
from hyn_k8s.search.settings import StorageSettings

STORAGE_SECONDS = 10.0
"""How long the storage may take; a mount that hangs would take for ever."""


def leave_message(text: str, path: str) -> None:
    """Put the document ``text`` at ``path``, the pod's termination message."""
    try:
        # Kubernetes mounts this very file, so it cannot be replaced by another one.
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        say(f"The outcome cannot be written to {path}: {error.strerror or error}")


def keep_outcome(outcome: Outcome, storage: StorageSettings, run: str) -> None:
    """Put ``outcome`` beside the results of ``run``, if that can be done now."""
    failed: list[Exception] = []

    def keep() -> None:
        try:
            place = open_storage(storage)
            read_named(place, run)  # the name may be that of a directory of somebody else's
            place.write(RunPaths(run).outcome, outcome.to_json().encode())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=keep, name="outcome", daemon=True)
    thread.start()
    thread.join(STORAGE_SECONDS)
    if thread.is_alive():
        say(f"The outcome is not kept: {storage.url} did not answer in {STORAGE_SECONDS:.0f} s")
    elif failed:
        what = failed[0] if isinstance(failed[0], HynError) else type(failed[0]).__name__
        say(f"The outcome is not kept: {what}")


def kept_outcome(storage: StorageSettings, run: str) -> str | None:
    """The Outcome that ``keep_outcome`` has put there, as JSON; None if there is none.

    Raises:
        StorageError: the storage cannot be read.
        ValueError: what is there is no Outcome.
    """
    try:
        text = while_starting(open_storage(storage)).read(RunPaths(run).outcome)
    except FileNotFoundError:
        return None
    Outcome.from_json(text)
    return text.decode()


def say(line: str) -> None:
    """Write ``line`` to the pod's log."""
    print(line, file=sys.stderr, flush=True)
