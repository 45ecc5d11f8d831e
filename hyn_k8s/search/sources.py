"""What a script consists of: its text, its arguments, and the modules that travel with it.

Two runs are continued by one another only where these are the same. They are read when Python
compiles them, not when the first search begins: a script may load its data for an hour, and be
edited meanwhile. Where Python itself runs the script, its modules are read at the first search.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.machinery
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType

from hyn_k8s.errors import ScriptError
from hyn_k8s.search import shipping

_AWAY = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN}
"""How a volume that has the script says that it is away for a while."""


class Sources:
    """Of one script, whose ``text`` is None where it has none: a notebook, a shell.

    A finder on ``sys.meta_path`` that finds nothing itself: it notes what is about to be imported.
    """

    def __init__(self, text: bytes | None) -> None:
        self._text = text
        self._modules: dict[str, str] = {}
        """What each module's file had in it when it was imported, as a hash, by its path."""

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Within, modules that lie beside the script are read when they are imported."""
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):  # the script may have put another list there
                sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Read the module's file, if it lies beside the script; somebody else finds it."""
        places = sys.path if path is None else path
        # Whatever else is among them Python itself skips.
        texts = [place for place in places if isinstance(place, str)]
        beside = [place for place in texts if shipping.may_lie_beside_script(place)]
        if not beside:
            return
        spec = importlib.machinery.PathFinder.find_spec(name, beside, target)
        if spec is not None and spec.has_location and spec.origin:
            digest = _digest_of_file(spec.origin)
            if digest is not None:
                self._modules[os.path.abspath(spec.origin)] = digest

    def digest(self) -> str:
        """What tells this script from others; notebooks are told apart by their searches."""
        whole = hashlib.sha256()
        if self._text is not None:
            whole.update(self._text)
            for argument in sys.argv[1:]:
                whole.update(b"\0" + argument.encode(errors="surrogateescape"))
            for name, _, file in sorted(shipping.script_modules(), key=lambda found: found[0]):
                read = self._modules.get(file) or _digest_of_file(file) or ""
                whole.update(f"\0\0{name}\0{read}".encode(errors="surrogateescape"))
        return whole.hexdigest()


def _digest_of_file(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def read_own_sources() -> Sources:
    """Those of the script that Python itself runs in this process."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if file is None:
        return Sources(None)
    try:
        with open(file, "rb") as script:
            return Sources(script.read())
    except OSError:
        return Sources(None)


@dataclass(frozen=True)
class Script:
    """A script that can be run."""

    path: str
    """As the user gave it."""
    code: CodeType
    """Under the absolute path that Python itself would give it."""
    sources: Sources


def read_script(path: str) -> Script:
    """The script at ``path``, compiled.

    Raises:
        ScriptError: it is absent, unreadable or no Python; the message shows the line.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        code = compile(text, os.path.abspath(path), "exec", dont_inherit=True)
    except OSError as error:
        lasting = error.errno not in _AWAY
        raise ScriptError(path, error.strerror or str(error), lasting) from None
    except (SyntaxError, ValueError) as error:
        shown = "".join(traceback.format_exception_only(error)).rstrip()
        raise ScriptError(path, f"it is no valid Python\n{shown}") from None
    return Script(path, code, Sources(text))
