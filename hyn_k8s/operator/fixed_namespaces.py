"""How kopf watches a list of namespaces without rights beyond them.

By default kopf first lists all namespaces and definitions of the cluster, to notice new ones. With
Roles in some namespaces it is refused, asks again for 54 seconds, and sees no object until then.
The namespaces are fixed and the definitions are there before the controllers, so it need not ask.

The chart has Dask's controller load this module, too: ``kopf run --module``.
"""

from __future__ import annotations

from typing import Any

import kopf


def look_for_no_others(settings: kopf.OperatorSettings) -> None:
    """Have kopf begin at once with the namespaces it is given, and look for no others."""
    settings.scanning.disabled = True


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """As kopf calls it in a process that loads this module."""
    look_for_no_others(settings)
