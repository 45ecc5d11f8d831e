"""Puts our dispatcher where Hypernets looks for one.

Hypernets asks ``get_dispatcher``, by a name its hyper_model module imported, and that function
asks the Dask backend only for some searchers; replacing the one name covers them all. The
replacement answers with our dispatcher while this process has a session, and with Hypernets' own
otherwise.
"""

from __future__ import annotations

from typing import Any

from hyn_k8s.search.dispatcher import DaskDispatcher
from hyn_k8s.search.reporting import Reporter
from hyn_k8s.search.session import Session, current_session, start_session
from hyn_k8s.search.settings import Settings
from hyn_k8s.search.sources import Sources


def activate(
    settings: Settings,
    stem: str | None = None,
    reporter: Reporter | None = None,
    *,
    sources: Sources | None = None,
    will_search: bool = False,
) -> Session:
    """``start_session``, and from then on every ``search()`` of this process runs by it."""
    session = start_session(settings, stem, reporter, sources=sources, will_search=will_search)
    _install_dispatcher()
    return session


def _install_dispatcher() -> None:
    import hypernets.model.hyper_model as hyper_model_module

    upstream = hyper_model_module.get_dispatcher
    if getattr(upstream, "_of_hyn_k8s", False):
        return

    def get_dispatcher(hyper_model: Any, **kwargs: Any) -> Any:
        if current_session() is None:
            return upstream(hyper_model, **kwargs)
        return DaskDispatcher()

    get_dispatcher._of_hyn_k8s = True  # type: ignore[attr-defined]
    hyper_model_module.get_dispatcher = get_dispatcher
