"""A root whose name is a pattern to fsspec, such as ``/bucket/re [v2]``, taken for what it says.

fsspec looks for ``*``, ``?`` and brackets in every path that it is given, and Hypernets gives it
paths with the root in front. Patterns below the root stay what they are.
"""

from __future__ import annotations

import glob
from typing import Any

from fsspec.asyn import sync_wrapper

from hyn_k8s.search import private_names
from hyn_k8s.search.private_names import strip_protocol


def take_root_literally(fs: Any, root: str) -> None:
    """Let ``fs`` find a pattern in what it is given below ``root`` only: a root may have brackets.

    Otherwise removing or copying one file below ``/bucket/re [v2]`` means those below ``/bucket/re
    v`` and ``/bucket/re 2``.
    """
    if not glob.has_magic(root):
        return

    def escaped(path: str) -> str:
        below = path.removeprefix(root)
        return glob.escape(root) + below if below != path and glob.has_magic(below) else path

    def is_literal(path: str) -> bool:
        return path.startswith(root) and not glob.has_magic(path.removeprefix(root))

    # A local one looks from above the pattern on, which is outside the root it will be given.
    asynchronous = private_names.finders(fs)
    expand, find = asynchronous or (fs.expand_path, type(fs)(skip_instance_cache=True).glob)

    def split(path: Any) -> tuple[list[str], list[str]]:
        """The paths that are what they say, and the patterns."""
        every = [strip_protocol(fs, each) for each in ([path] if isinstance(path, str) else path)]
        literal = [each for each in every if is_literal(each)]
        return literal, [each for each in every if not is_literal(each)]

    def expand_path(path: Any, *args: Any, **kwargs: Any) -> Any:
        literal, patterns = split(path)
        found = expand(literal, *args, **{**kwargs, "assume_literal": True}) if literal else []
        return sorted({*found, *(expand(patterns, *args, **kwargs) if patterns else [])})

    async def _expand_path(path: Any, *args: Any, **kwargs: Any) -> Any:
        literal, patterns = split(path)
        found = (
            await expand(literal, *args, **{**kwargs, "assume_literal": True}) if literal else []
        )
        return sorted({*found, *(await expand(patterns, *args, **kwargs) if patterns else [])})

    async def _glob(path: str, **kwargs: Any) -> Any:
        return await find(escaped(strip_protocol(fs, path)), **kwargs)

    if asynchronous:
        private_names.replace_finders(fs, _expand_path, _glob)
        fs.expand_path, fs.glob = sync_wrapper(_expand_path, fs), sync_wrapper(_glob, fs)
    else:
        fs.expand_path = expand_path
        fs.glob = lambda path, **kwargs: find(escaped(strip_protocol(fs, path)), **kwargs)
    copy = fs.copy

    def copy_literally(source: Any, target: Any, **kwargs: Any) -> None:
        is_file = isinstance(source, str) and is_literal(source) and fs.isfile(source)
        (fs.cp_file if is_file else copy)(source, target, **kwargs)

    fs.copy = copy_literally
