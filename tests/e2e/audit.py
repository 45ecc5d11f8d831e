"""What the controllers have asked of the API server, by its audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tests.kind.cluster import NAME
from tests.kind.shell import run

LOG = "/var/log/kubernetes/audit.log"

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""


@dataclass(frozen=True)
class Asked:
    """What an account has asked for."""

    rights: frozenset[Right]
    """What it takes to be answered."""
    denied: frozenset[Right]
    """What it was refused for want of a right."""


def read_log() -> list[str]:
    """The lines of the audit log of the cluster that is up."""
    return run("docker", "exec", f"{NAME}-control-plane", "cat", LOG).splitlines()


def asked_by(account: str, lines: Iterable[str]) -> Asked:
    """What a ServiceAccount, as ``namespace:name``, has asked for."""
    user = f"system:serviceaccount:{account}"
    rights: set[Right] = set()
    denied: set[Right] = set()
    for line in lines:
        event = json.loads(line)
        what = event.get("objectRef") or {}
        if event["user"]["username"] != user or "resource" not in what:
            continue
        resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
        right = (what.get("apiGroup", ""), resource, event["verb"])
        code = (event.get("responseStatus") or {}).get("code")
        (denied if code == 403 and _is_for_want(event) else rights).add(right)
        if event["verb"] == "patch" and code == 201:  # an apply of what was not there
            rights.add((*right[:2], "create"))
    return Asked(frozenset(rights), frozenset(denied))


def _is_for_want(event: dict[str, dict[str, str]]) -> bool:
    """Whether it was RBAC that said no, and not a quota or an admission."""
    return event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
