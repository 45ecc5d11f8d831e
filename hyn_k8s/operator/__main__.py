"""``python -m hyn_k8s.operator``: the operator's process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection

import kopf

from hyn_k8s.api_server import ApiServer
from hyn_k8s.errors import HynError
from hyn_k8s.operator.fixed_namespaces import look_for_no_others
from hyn_k8s.operator.handlers import Operator, register
from hyn_k8s.operator.settings import read_operator_settings

LIVENESS = "http://0.0.0.0:8080/healthz"


def main() -> None:
    """Run until terminated."""
    kopf.configure(verbose=False)
    logging.getLogger("hyn_k8s").setLevel(logging.INFO)
    for chatty in ("kopf.objects", "kopf.activities", "aiohttp.access"):  # a line for each event
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        settings = read_operator_settings()
        kube = ApiServer.connect(component="hyn-k8s-operator")
    except HynError as error:
        sys.exit(f"Error: {error}")
    registry = kopf.OperatorRegistry()
    register(registry, Operator(kube, settings))
    kopf.run(
        registry=registry,
        settings=_kopf_settings(settings.namespaces),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=list(settings.namespaces),
        liveness_endpoint=LIVENESS,
    )


def _kopf_settings(namespaces: Collection[str]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    if namespaces:
        look_for_no_others(settings)
    # Nothing of kopf's is ever written to an object; these are for the case that it would be.
    settings.persistence.finalizer = "hyn-k8s.dev/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="hyn-k8s.dev")
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix="hyn-k8s.dev")
    return settings


if __name__ == "__main__":
    main()
