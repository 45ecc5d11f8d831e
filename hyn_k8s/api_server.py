"""The API server. The only module that talks to it.

Nothing is tried again here: whoever reconciles does so anyway, with patience of its own. Calls
block; each has a time limit.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import EVENT, Kind, Ref
from hyn_k8s.names import DRIVER_PORT, FIELD_MANAGER

REQUEST_SECONDS = (5.0, 20.0)
"""How long the API server may take to accept a connection, and to answer."""

PROGRESS_SECONDS = 3.0

_MOST_PROGRESS = 1 << 20
"""Bytes; a driver says less than 32 kB, and a script may have put something else at its port."""

_MOST_PROBLEM = 500
"""Characters of what the API server says; it repeats the object it refuses."""


class ApiServer:
    """The API server of this pod's cluster, or of a kubeconfig."""

    def __init__(self, api: client.ApiClient, is_inside: bool, component: str) -> None:
        self._dynamic = DynamicClient(api)
        self._core = client.CoreV1Api(api)
        self._is_inside = is_inside
        self._component = component
        self._http = urllib3.PoolManager(retries=False, timeout=PROGRESS_SECONDS)

    @classmethod
    def connect(cls, kubeconfig: str | None = None, component: str = FIELD_MANAGER) -> Self:
        """By the service account of this pod, else by a kubeconfig.

        Raises:
            ClusterError: there is neither, or the API server does not answer.
        """
        with _told("connect to", "the API server"):
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config()
                return cls(client.ApiClient(), True, component)
            return cls(config.new_client_from_config(kubeconfig), False, component)

    def get(self, ref: Ref) -> Manifest | None:
        with _told("get", ref):
            try:
                found = self._resource(ref.kind).get(
                    name=ref.name, namespace=ref.namespace, _request_timeout=REQUEST_SECONDS
                )
            except DynamicApiError as error:
                if error.status == 404:
                    return None
                raise
        return _plain(found)

    def list(
        self,
        kind: Kind,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        with _told("list", f"{kind.name.lower()}s in {namespace or 'all namespaces'}"):
            found = self._resource(kind).get(
                namespace=namespace,
                label_selector=_selector(labels),
                field_selector=_selector(fields),
                _request_timeout=REQUEST_SECONDS,
            )
        # The items of a list do not carry what they all have.
        own = {"apiVersion": kind.api_version, "kind": kind.name}
        return [own | _plain(item) for item in found.items]

    def apply(self, manifest: Manifest) -> Manifest:
        ref = Ref.to(manifest)
        with _told("apply", ref):
            applied = self._resource(ref.kind).server_side_apply(
                body=manifest,
                name=ref.name,
                namespace=ref.namespace,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                _request_timeout=REQUEST_SECONDS,
            )
        return _plain(applied)

    def patch(self, ref: Ref, changes: Mapping[str, Any]) -> None:
        with _told("patch", ref), _gone_is_fine():
            self._resource(ref.kind).patch(
                body=dict(changes),
                name=ref.name,
                namespace=ref.namespace,
                content_type="application/merge-patch+json",
                _request_timeout=REQUEST_SECONDS,
            )

    def replace_status(self, ref: Ref, status: Mapping[str, Any], uid: str | None = None) -> None:
        # A merge would keep what the status no longer has.
        change: list[dict[str, Any]] = [{"op": "add", "path": "/status", "value": dict(status)}]
        if uid is not None:
            change.insert(0, {"op": "test", "path": "/metadata/uid", "value": uid})
        try:
            with _told("patch the status of", ref), _gone_is_fine():
                self._resource(ref.kind).status.patch(
                    body=change,
                    name=ref.name,
                    namespace=ref.namespace,
                    content_type="application/json-patch+json",
                    _request_timeout=REQUEST_SECONDS,
                )
        except ClusterError as error:
            # A test that fails and a status that is refused are answered alike.
            if error.status != 422 or uid is None or self._is_there(ref, uid):
                raise

    def delete(self, ref: Ref, uid: str | None = None, at_once: bool = False) -> None:
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if at_once:
            options["gracePeriodSeconds"] = 0
        with _told("delete", ref), _gone_is_fine(another_is_fine=uid is not None):
            self._resource(ref.kind).delete(
                name=ref.name,
                namespace=ref.namespace,
                body=options,
                _request_timeout=REQUEST_SECONDS,
            )

    def post_event(self, about: Manifest, type_: str, reason: str, message: str) -> None:
        metadata = about["metadata"]
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {
                "generateName": f"{metadata['name']}.",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": type_,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        with _told("create", f"an event of {Ref.to(about)}"):
            self._resource(EVENT).create(
                body=event, namespace=metadata["namespace"], _request_timeout=REQUEST_SECONDS
            )

    def read_progress(self, namespace: str, pod: str, address: str | None) -> bytes:
        with _told("read the progress of", f"pod {namespace}/{pod}"):
            if self._is_inside:
                host = f"[{address}]" if ":" in str(address) else address
                url = f"http://{host}:{DRIVER_PORT}/progress"
                answer = self._http.request("GET", url, preload_content=False)
                try:
                    if answer.status != 200:
                        raise ApiException(answer.status, answer.reason)
                    return bytes(answer.read(_MOST_PROGRESS))
                finally:
                    answer.release_conn()
            response = self._core.connect_get_namespaced_pod_proxy_with_path(
                *(f"{pod}:{DRIVER_PORT}", namespace, "progress"),
                _request_timeout=PROGRESS_SECONDS,
                _preload_content=False,
            )
            return bytes(response.data)

    def _is_there(self, ref: Ref, uid: str) -> bool:
        found = self.get(ref)
        return found is not None and found["metadata"]["uid"] == uid

    def _resource(self, kind: Kind) -> Any:
        return self._dynamic.resources.get(api_version=kind.api_version, kind=kind.name)


def _selector(values: Mapping[str, str] | None) -> str | None:
    return ",".join(f"{key}={value}" for key, value in values.items()) if values else None


def _plain(found: Any) -> Manifest:
    plain: Manifest = found.to_dict()
    return plain


@contextmanager
def _told(verb: str, what: Ref | str) -> Iterator[None]:
    """Whatever goes wrong within is a ClusterError about ``what``."""
    try:
        yield
    except ApiException as error:
        raise ClusterError(verb, str(what), error.status or None, _problem(error)) from error
    except ResourceNotFoundError as error:
        problem = "the API server has no such kind; are the CustomResourceDefinitions installed?"
        raise ClusterError(verb, str(what), 404, problem) from error
    except config.ConfigException as error:
        raise ClusterError(verb, str(what), None, str(error)) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterError(verb, str(what), None, type(error).__name__) from error


@contextmanager
def _gone_is_fine(another_is_fine: bool = False) -> Iterator[None]:
    try:
        yield
    except DynamicApiError as error:
        if error.status == 404 or (another_is_fine and error.status == 409):
            return
        raise


def _problem(error: ApiException) -> str:
    """What the API server says, in one line of bounded length."""
    try:
        said = json.loads(error.body)["message"]
    except (ValueError, TypeError, KeyError):
        said = error.reason or type(error).__name__
    return " ".join(str(said).split())[:_MOST_PROBLEM]
