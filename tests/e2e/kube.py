"""The API server, as far as tests need it: apply, look, wait, read logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import stamina
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError

from tests.waiting import until

FIELD_MANAGER = "hyn-k8s-tests"

EVERY = 0.5
"""Seconds from one look at the API server to the next."""

Object = dict[str, Any]


class Kube:
    """The cluster of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        api = config.new_client_from_config(kubeconfig)
        self._dynamic = DynamicClient(api)
        self._core = client.CoreV1Api(api)

    def apply(self, objects: Iterable[Mapping[str, Any]], namespace: str | None = None) -> None:
        """Have ``objects`` as they are given, in ``namespace`` where they are namespaced."""
        for each in objects:
            kind = self._kind(each["apiVersion"], each["kind"])
            kind.server_side_apply(
                body=dict(each),
                name=each["metadata"]["name"],
                namespace=namespace if kind.namespaced else None,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
            )

    def refusal(self, manifest: Mapping[str, Any], namespace: str) -> str | None:
        """Why the API server would not take an object, None if it would; nothing is applied."""
        kind = self._kind(manifest["apiVersion"], manifest["kind"])
        try:
            kind.server_side_apply(
                body=dict(manifest),
                name=manifest["metadata"]["name"],
                namespace=namespace,
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
                dry_run="All",
            )
        except ApiException as error:
            return str(json.loads(error.body)["message"])
        return None

    def patch(
        self, api: str, kind: str, name: str, namespace: str | None, changes: Mapping[str, Any]
    ) -> None:
        """Merge ``changes`` into the object."""
        self._kind(api, kind).patch(
            body=dict(changes),
            name=name,
            namespace=namespace,
            content_type="application/merge-patch+json",
        )

    def set_status(
        self, api: str, kind: str, name: str, namespace: str, status: Mapping[str, Any]
    ) -> None:
        """Write a status as its controller would."""
        self._kind(api, kind).status.patch(
            body={"status": dict(status)},
            name=name,
            namespace=namespace,
            content_type="application/merge-patch+json",
        )

    def get(self, api: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, None when it is not there."""
        try:
            found = self._kind(api, kind).get(name=name, namespace=namespace)
        except NotFoundError:
            return None
        return dict(found.to_dict())

    def find(self, api: str, kind: str, namespace: str | None, labels: str = "") -> list[Object]:
        """The objects of a kind with these labels."""
        found = self._kind(api, kind).get(namespace=namespace, label_selector=labels)
        return [dict(item.to_dict()) for item in found.items]

    def delete(self, api: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete the object; one that is gone is fine."""
        try:
            self._kind(api, kind).delete(name=name, namespace=namespace)
        except NotFoundError:
            return

    def pods(self, namespace: str, labels: str = "") -> list[Object]:
        """The pods that have not been told to end."""
        found = self.find("v1", "Pod", namespace, labels)
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def log(self, namespace: str, pod: str) -> str:
        """What a pod's only container has written, empty while it has not begun."""
        try:
            return str(self._core.read_namespaced_pod_log(pod, namespace))
        except ApiException as error:
            if error.status in (400, 404):
                return ""
            raise

    def log_of(self, namespace: str, labels: str) -> str:
        """What the pods with these labels have written."""
        pods = self.pods(namespace, labels)
        return "".join(self.log(namespace, pod["metadata"]["name"]) for pod in pods)

    def await_gone(self, api: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete the object and wait until it is no more; what keeps it is shown if it stays."""
        self.delete(api, kind, name, namespace)
        last: Object | None = None

        def is_gone() -> bool:
            nonlocal last
            last = self.get(api, kind, name, namespace)
            return last is None

        try:
            until(is_gone, f"{kind} {name} to go", 120, EVERY)
        except AssertionError as error:
            left = last or {}
            kept = left["metadata"].get("finalizers"), left.get("status")
            raise AssertionError(f"{error}; its finalizers and status are {kept}") from None

    def await_status(
        self,
        api: str,
        kind: str,
        name: str,
        namespace: str | None,
        holds: Callable[[Object], bool],
        seconds: float = 120.0,
    ) -> Object:
        """Wait until ``holds`` is true of the object's status, and show the last one if not."""
        last: Object = {}

        def look() -> bool:
            nonlocal last
            found = self.get(api, kind, name, namespace)
            last = (found or {}).get("status") or {}
            return holds(last)

        try:
            until(look, f"{kind} {name}", seconds, EVERY)
        except AssertionError as error:
            raise AssertionError(f"{error}; its status is {last}") from None
        return last

    def _kind(self, api: str, kind: str) -> Any:
        # A kind whose definition was made a moment ago shows up a moment later.
        for attempt in stamina.retry_context(on=DynamicApiError, attempts=5):
            with attempt:
                return self._dynamic.resources.get(api_version=api, kind=kind)
        raise AssertionError("retry_context raises the last error itself")
