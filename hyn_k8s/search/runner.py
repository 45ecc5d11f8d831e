"""Runs a user's script as ``python script.py`` would, with its searches in parallel.

The script sees its own ``sys.argv``, ``__main__``, working directory and exit code, and need not
know that we are there. What can be wrong before it starts (settings, storage, a script that does
not exist or does not parse) is found before it starts. What it raises is shown as Python shows
it, without our frames; what we raise is one sentence.
"""

from __future__ import annotations

import os
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from types import TracebackType

from hyn_k8s.contract import ExitCode
from hyn_k8s.errors import HynError, RunTakenError
from hyn_k8s.search import activation
from hyn_k8s.search.reporting import Reporter
from hyn_k8s.search.session import Session, default_stem
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.signals import ending_later
from hyn_k8s.search.sources import Script

_running = False


def is_running() -> bool:
    """Whether this process runs a script for us at the moment."""
    return _running


def run_script(
    script: Script,
    arguments: Sequence[str],
    settings: Settings,
    reporter: Reporter,
    ended: Callable[[Session, int], None],
    begins: Callable[[Session], None] | None = None,
) -> int:
    """Run ``script`` with ``arguments`` and return its exit code.

    ``begins`` is called with the session when all is ready for the script, and ``ended`` with the
    session and the script's exit code when it is over, before the cluster is closed.
    The code is the script's own, except that a search without one succeeded trial, or an error of
    ours that an experiment swallowed, makes it 1, Ctrl-C 130, and what lets the run be continued
    later 75.

    Raises:
        StorageError: found before the script was started.
    """
    global _running
    sys.argv = [script.path, *arguments]
    sys.path[0] = os.path.dirname(script.code.co_filename)
    stem = default_stem(script.path)
    with ending_later():
        session = activation.activate(
            settings, stem, reporter, sources=script.sources, will_search=True
        )
        session.ends_process = True
        _running = True
        try:
            if begins is not None:
                begins(session)
            with ending_later(session.note_terminated), script.sources.watching():
                exit_code = _run(script.code, session)
            session.script_failed |= exit_code != ExitCode.OK or session.is_terminated
            ended(session, exit_code)
        finally:
            _running = False
            session.close()
    for error in session.errors:
        print(f"Error: {error}", file=sys.stderr)
    if session.is_terminated:
        return ExitCode.LATER  # though a bare except may have swallowed it
    if exit_code in (ExitCode.OK, ExitCode.FAILED) and session.errors:
        return ExitCode.LATER if _goes_on_later(session) else ExitCode.FAILED
    return exit_code


def _goes_on_later(session: Session) -> bool:
    """Whether what failed may work at the next call, and there is something to continue."""
    taken = any(isinstance(error, RunTakenError) for error in session.errors)
    return taken or (bool(session.unfinished) and any(error.retry for error in session.errors))


def _run(code: types.CodeType, session: Session) -> int:
    main = types.ModuleType("__main__")
    main.__file__ = code.co_filename
    # It stays there: what the script left for the end of the process may look it up.
    sys.modules["__main__"] = main
    try:
        exec(code, main.__dict__)
    except SystemExit as exit_:
        session.raised = exit_
        return _exit_code(exit_)
    except KeyboardInterrupt as interrupt:
        session.raised = interrupt
        session.reporter.tell("Interrupted.")
        return ExitCode.INTERRUPTED
    except HynError as error:
        session.raised = error
        session.reporter.close()
        if error not in session.errors:
            session.errors.append(error)
        return ExitCode.FAILED
    except BaseException as error:
        session.raised = error
        session.reporter.close()  # a live display would be drawn over the traceback
        shown = _of_script(error.__traceback__, code.co_filename)
        traceback.print_exception(type(error), error, shown)
        return ExitCode.FAILED
    return ExitCode.OK


def _exit_code(exit_: SystemExit) -> int:
    """What Python itself would return to the shell for this SystemExit."""
    if exit_.code is None:
        return ExitCode.OK
    if isinstance(exit_.code, int):
        return exit_.code & 0xFF
    print(exit_.code, file=sys.stderr)
    return ExitCode.FAILED


def _of_script(frames: TracebackType | None, path: str) -> TracebackType | None:
    """The traceback from the script's own first frame on."""
    shown = frames
    while shown is not None and shown.tb_frame.f_code.co_filename != path:
        shown = shown.tb_next
    return shown or frames
