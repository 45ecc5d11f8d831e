"""What Pod Security ``restricted`` refuses in a pod, as far as our pods could do it."""

from __future__ import annotations

from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
           "projected", "secret"}  # fmt: skip


def violations(pod: dict[str, Any]) -> list[str]:
    """A sentence for each thing that ``restricted`` refuses."""
    security = pod.get("securityContext", {})
    found = [f"{name} is set" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    if security.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("no seccomp profile")
    if security.get("runAsUser") == 0 or security.get("runAsNonRoot") is not True:
        found.append("may run as root")
    for volume in pod.get("volumes", []):
        (kind,) = set(volume) - {"name"}
        if kind not in VOLUMES:
            found.append(f"volume {volume['name']} is of kind {kind}")
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        found += [f"{container['name']}: {each}" for each in _container_violations(container)]
    return found


def _container_violations(container: dict[str, Any]) -> list[str]:
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    found = []
    if own.get("allowPrivilegeEscalation") is not False:
        found.append("privileges may escalate")
    if own.get("privileged"):
        found.append("is privileged")
    if "ALL" not in capabilities.get("drop", []):
        found.append("keeps capabilities")
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        found.append("adds capabilities")
    if own.get("runAsUser") == 0 or own.get("runAsNonRoot") is False:
        found.append("runs as root")
    if any(port.get("hostPort") for port in container.get("ports", [])):
        found.append("takes a port of the host")
    return found
