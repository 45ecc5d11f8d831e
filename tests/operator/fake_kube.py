"""A cluster in memory, as far as the operator relies on one: ``FakeKube``.

It is proved by the contract that the real API server passes, too (``kube_contract``). Nothing
happens in it by itself: its clock stands until a test moves it, what owns something is collected
with it at once, and controllers of Kubernetes and Dask are played by tests (``life``).
"""

from __future__ import annotations

import datetime
import itertools
import pickle
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hyn_k8s.api.schema import Manifest
from hyn_k8s.errors import ClusterError
from hyn_k8s.kube import EVENT, Kind, Ref

T = TypeVar("T")

NOW = datetime.datetime(2026, 11, 28, 12, 0, 0, tzinfo=datetime.UTC)
"""When every test begins."""


PROCESS = "kubelet/process"
"""A finalizer of pods here: while it is on, the pod's process lives, or nobody knows better."""


class Clock:
    """The time of a test, which goes on when it is told to."""

    def __init__(self, now: datetime.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime.datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += datetime.timedelta(seconds=seconds)

    @property
    def text(self) -> str:
        """The time as Kubernetes writes it."""
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeKube:
    """A cluster without controllers; ``Kube`` in memory."""

    def __init__(self, clock: Callable[[], datetime.datetime] | None = None) -> None:
        self.clock = clock or Clock()
        self.objects: dict[Ref, Manifest] = {}
        self.calls: list[tuple[str, str]] = []
        """Every call: its verb, and what it was about."""
        self.failures: dict[str, deque[ClusterError | None]] = defaultdict(deque)
        """By verb, how the next calls end: with an error, or well for None."""
        self.refused: dict[Kind, ClusterError] = {}
        """By kind, how every call about an object of it ends."""
        self.before_call: Callable[[str], None] = lambda _: None
        """Called with each verb; may raise."""
        self.progress: dict[tuple[str, str], bytes] = {}
        """What drivers answer, by namespace and pod."""
        self.finalizers: dict[str, list[str]] = {}
        """By kind, what controllers would put on a new object."""
        self._applied: dict[Ref, Manifest] = {}
        """What was applied of an object last."""
        self._uids = itertools.count(1)
        self._versions = itertools.count(1)

    @property
    def writes(self) -> Sequence[tuple[str, str]]:
        """The calls that ask for a change."""
        reading = ("get", "list", "read_progress")
        return [(verb, what) for verb, what in self.calls if verb not in reading]

    def get(self, ref: Ref) -> Manifest | None:
        self._called("get", ref)
        return copied(self.objects.get(ref))

    def list(
        self,
        kind: Kind,
        namespace: str | None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        self._called("list", f"{kind.name.lower()}s in {namespace}", kind)
        found = [
            each
            for ref, each in self.objects.items()
            if ref.kind == kind
            and namespace in (None, ref.namespace)
            and _has(each["metadata"].get("labels") or {}, labels)
            and all(_field(each, path) == value for path, value in (fields or {}).items())
        ]
        return copied(sorted(found, key=lambda each: str(each["metadata"]["name"])))

    def apply(self, manifest: Manifest) -> Manifest:
        ref = Ref.to(manifest)
        self._called("apply", ref)
        _check(ref, manifest)
        given = copied(manifest)
        before = self.objects.get(ref)
        if before is None:
            given["metadata"] |= {
                "uid": f"uid-{next(self._uids):04d}",
                "creationTimestamp": self.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "generation": 1,
            }
            if ref.kind.name in self.finalizers:
                given["metadata"]["finalizers"] = list(self.finalizers[ref.kind.name])
            self._store(ref, given)
        else:
            given.pop("status", None)
            self._change(ref, _dropped(self._applied.get(ref, {}), given))
        self._applied[ref] = copied(manifest)
        return copied(self.objects[ref])

    def patch(self, ref: Ref, changes: Mapping[str, Any]) -> None:
        self._called("patch", ref)
        if ref in self.objects:
            self._change(ref, changes)

    def replace_status(self, ref: Ref, status: Mapping[str, Any], uid: str | None = None) -> None:
        self._called("replace_status", ref)
        before = self.objects.get(ref)
        if before is None or uid not in (None, before["metadata"]["uid"]):
            return
        after = before | {"status": copied(dict(status))}
        if after != before:
            self._store(ref, after)

    def delete(self, ref: Ref, uid: str | None = None, at_once: bool = False) -> None:
        self._called("delete", ref)
        before = self.objects.get(ref)
        if before is None or uid not in (None, before["metadata"]["uid"]):
            return
        if at_once:
            kept = [each for each in before["metadata"].get("finalizers", []) if each != PROCESS]
            self._change(ref, {"metadata": {"finalizers": kept or None}})
        if ref in self.objects:
            self._let_go(ref)

    def post_event(self, about: Manifest, type_: str, reason: str, message: str) -> None:
        self._called("post_event", Ref.to(about))
        metadata = about["metadata"]
        number = next(self._uids)
        ref = EVENT.ref(metadata["namespace"], f"{metadata['name']}.{number}")
        involved = {"kind": about["kind"], "name": metadata["name"], "uid": metadata["uid"]}
        event = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": ref.name, "namespace": ref.namespace, "uid": f"uid-{number:04d}"},
            "involvedObject": involved,
            "type": type_,
            "reason": reason,
            "message": message,
            "lastTimestamp": self.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._store(ref, event)

    def read_progress(self, namespace: str, pod: str, address: str | None) -> bytes:
        self._called("read_progress", f"pod {namespace}/{pod}")
        if (namespace, pod) not in self.progress:
            raise ClusterError("read the progress of", f"pod {pod}", None, "ConnectTimeoutError")
        return self.progress[namespace, pod]

    # What tests do themselves, uncounted and without failures.

    def put(self, manifest: Manifest) -> Manifest:
        """Have exactly this object, as a controller or Kubernetes makes it."""
        ref = Ref.to(manifest)
        stored = copied(manifest)
        stored["metadata"].setdefault("uid", f"uid-{next(self._uids):04d}")
        stored["metadata"].setdefault(
            "creationTimestamp", self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        )
        self._store(ref, stored)
        return copied(self.objects[ref])

    def change(self, ref: Ref, changes: Mapping[str, Any]) -> None:
        """Merge ``changes`` into an object, its status included."""
        self._change(ref, changes)

    def let_go(self, ref: Ref) -> None:
        """Delete an object as somebody else does; finalizers keep it."""
        if ref in self.objects:
            self._let_go(ref)

    def of_kind(self, kind: Kind) -> Sequence[Manifest]:
        """All objects of a kind."""
        return [each for ref, each in self.objects.items() if ref.kind == kind]

    @property
    def events(self) -> Sequence[tuple[str, str]]:
        """Type and reason of what was told, in order."""
        return [(event["type"], event["reason"]) for event in self.of_kind(EVENT)]

    @property
    def told(self) -> Sequence[str]:
        """The messages of what was told, in order."""
        return [str(event["message"]) for event in self.of_kind(EVENT)]

    def _called(self, verb: str, what: Ref | str, kind: Kind | None = None) -> None:
        self.calls.append((verb, str(what)))
        self.before_call(verb)
        about = what.kind if isinstance(what, Ref) else kind
        if about is not None and about in self.refused:
            raise self.refused[about]
        queue = self.failures[verb]
        error = queue.popleft() if queue else None
        if error is not None:
            raise error

    def _change(self, ref: Ref, changes: Mapping[str, Any]) -> None:
        before = self.objects[ref]
        after = merged(before, changes)
        if after == before:
            return
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        self._store(ref, after)
        if is_leaving(after) and not after["metadata"].get("finalizers"):
            self._remove(ref)

    def _let_go(self, ref: Ref) -> None:
        before = self.objects[ref]
        if not before["metadata"].get("finalizers"):
            self._remove(ref)
        elif not is_leaving(before):
            now = self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
            self._store(ref, merged(before, {"metadata": {"deletionTimestamp": now}}))

    def _remove(self, ref: Ref) -> None:
        """Take an object away, and with it what it owned."""
        uid = self.objects.pop(ref)["metadata"]["uid"]
        self._applied.pop(ref, None)
        for other in [*self.objects]:
            owners = self.objects.get(other, {}).get("metadata", {}).get("ownerReferences") or []
            if owners and all(owner["uid"] == uid for owner in owners):
                self._let_go(other)

    def _store(self, ref: Ref, manifest: Manifest) -> None:
        manifest["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[ref] = manifest


def copied(given: T) -> T:
    """A copy of an object of the API and of all within; in a tenth of ``copy.deepcopy``'s time."""
    copy: T = pickle.loads(pickle.dumps(given, pickle.HIGHEST_PROTOCOL))
    return copy


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``before`` after a merge patch, as RFC 7386 has it."""
    after = copied(dict(before))
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
        elif isinstance(value, Mapping):
            old = after.get(key)
            after[key] = merged(old if isinstance(old, Mapping) else {}, value)
        else:
            after[key] = copied(value)
    return after


def _dropped(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What is applied ``now``, and None for what was ``before`` and is not any more."""
    changes = dict(now) | dict.fromkeys(before.keys() - now.keys())
    for key in before.keys() & now.keys():
        if isinstance(before[key], Mapping) and isinstance(now[key], Mapping):
            changes[key] = _dropped(before[key], now[key])
    return changes


def is_leaving(manifest: Manifest) -> bool:
    """Whether an object has been told to go."""
    return "deletionTimestamp" in manifest["metadata"]


def _has(labels: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    return all(labels.get(key) == value for key, value in (wanted or {}).items())


def _field(manifest: Manifest, path: str) -> Any:
    found: Any = manifest
    for key in path.split("."):
        found = found.get(key, {})
    return found


def _check(ref: Ref, manifest: Manifest) -> None:
    """Refuse what a test applies to be refused."""
    for key in manifest.get("data") or {}:
        if re.fullmatch(r"[-._a-zA-Z0-9]+", key) is None:
            raise ClusterError("apply", str(ref), 422, f"data: invalid key {key}"[:500])
