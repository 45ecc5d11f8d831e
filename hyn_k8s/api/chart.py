"""What an administrator may say to Helm: the values of the chart, and their schema.

Written once, as types: ``values.schema.json``, by which Helm refuses a wrong or mistyped value,
and the table of the docs are made of them, and a test compares ``values.yaml`` with the defaults.
The default storage of an installation is a SearchJob's ``spec.storage``, with what it takes to make
the claims or the Secret in the namespaces that search.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hyn_k8s.api.peers import NetworkPolicyPeer
from hyn_k8s.api.placement import Affinity, Toleration
from hyn_k8s.api.pods import Resources
from hyn_k8s.api.schema import ApiModel, Quantity, structural
from hyn_k8s.api.storage import S3Storage, VolumeRoot
from hyn_k8s.api.values import LabelValue, ObjectName, Path, Short, Text

NamespaceName = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
_LABEL_OR_NOTHING = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"
_Repository = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9][a-z0-9._/:-]*$")]
_Labels = Annotated[dict[str, LabelValue], Field(max_length=16)]
_Annotations = Annotated[dict[str, Text], Field(max_length=16)]


class PullPolicy(enum.StrEnum):
    """When a node pulls an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Image(ApiModel):
    """One image."""

    repository: _Repository
    """Its name without registry and tag."""
    tag: Annotated[str, StringConstraints(max_length=128, pattern=r"^[\w.-]*$")] = ""
    """Its tag; the chart's appVersion if empty."""
    digest: Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    """Its digest, which wins over the tag."""


class Images(ApiModel):
    """The images of everything that is installed, and of the searches."""

    registry: Annotated[str, StringConstraints(max_length=253, pattern=r"^([\w.:/-]*[\w])?$")] = ""
    """Put before each repository, such as registry.example.com:5000/mirror; as it is if empty."""
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """When nodes pull an image."""
    pull_secrets: Annotated[tuple[ObjectName, ...], Field(max_length=8)] = ()
    """Names of Secrets with which images are pulled, in this namespace and in those that search."""
    operator: Image = Image(repository="hyn-k8s/operator")
    """Operator, dask's controller, and the chart's hooks."""
    runtime: Image = Image(repository="hyn-k8s/runtime")
    """Searches that name no image of their own."""


class Controller(ApiModel):
    """The pod of a controller."""

    resources: Resources = Resources()
    """What it asks for and may use at most."""
    node_selector: _Labels = Field(default_factory=dict)
    """Labels of the nodes that it may run on."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints of nodes that it puts up with."""
    affinity: Affinity = Affinity()
    """Where it runs, in detail."""
    priority_class_name: Annotated[str, StringConstraints(max_length=253)] = ""
    """Its priority."""
    labels: _Labels = Field(default_factory=dict)
    """Further labels of the pod."""
    annotations: _Annotations = Field(default_factory=dict)
    """Further annotations of the pod."""
    service_account_annotations: _Annotations = Field(default_factory=dict)
    """Annotations of its ServiceAccount."""


_CONTROLLER = Resources(requests={"cpu": "50m", "memory": "192Mi"}, limits={"memory": "512Mi"})


class OperatorPod(Controller):
    """The operator's pod."""

    resources: Resources = _CONTROLLER
    """What it asks for and may use at most."""


class DaskController(Controller):
    """Dask's own controller, which makes the schedulers and workers of searches, and no others."""

    enabled: bool = True
    """Whether it is installed; false where the cluster has one already, as for DaskJobs."""
    namespace: Annotated[str, StringConstraints(max_length=63, pattern=_LABEL_OR_NOTHING)] = ""
    """Where the cluster's own one runs, which may reach searches; anywhere if empty."""
    resources: Resources = _CONTROLLER
    """What it asks for and may use at most."""


class Definitions(ApiModel):
    """The CustomResourceDefinitions."""

    install: bool = True
    """Whether each installation and upgrade applies them; false for those who manage them."""


class NetworkPolicies(ApiModel):
    """Who may reach the pods of controllers and searches, where the network enforces it."""

    enabled: bool = True
    """Whether there are any."""
    from_: Annotated[tuple[NetworkPolicyPeer, ...], Field(alias="from", max_length=16)] = ()
    """Who else may reach a search's driver and dashboard, as in a NetworkPolicy's ingress."""


class NfsExport(ApiModel):
    """An export of an NFS server."""

    server: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Its name or address."""
    path: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^/")]
    """The export's path."""
    mount_options: Annotated[tuple[Short, ...], Field(max_length=16)] = (
        "nfsvers=4.1",
        "hard",
        "lookupcache=positive",
    )
    """Options of the mount. A server that is away is waited for, since soft would lose writes;
    and what another node has made is not taken for missing."""


class ClaimToMake(ApiModel):
    """Of which volumes the claims are made."""

    storage_class_name: ObjectName
    """A class of volumes that several nodes can write at once, such as rook-cephfs."""
    size: Quantity
    """How much each namespace's holds, such as 10Gi."""


class SharedVolume(ApiModel):
    """A volume in every search namespace: one that is there, an NFS export, or a new one."""

    mount_path: Path = "/opt/share"
    """Where it is mounted in every pod of a search."""
    root: VolumeRoot = "hypernets"
    """The directory of the volume in which runs are kept; empty for the volume itself."""
    existing_claim: ObjectName | None = None
    """A ReadWriteMany claim of this name that each search namespace has."""
    nfs: NfsExport | None = None
    """Make a volume of this export, and a claim on it, for each search namespace."""
    claim: ClaimToMake | None = None
    """Make a claim of this class in each search namespace."""


class Bucket(S3Storage):
    """A bucket, and the keys to it."""

    access_key: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """With secretKey: a Secret of both is made in every search namespace, instead of secretName."""
    secret_key: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """See accessKey."""


class DefaultStorage(ApiModel):
    """Where searches that have no storage section keep their runs: file or s3."""

    file: SharedVolume | None = None
    """One shared volume in each search namespace."""
    s3: Bucket | None = None
    """One bucket for all."""


class Values(ApiModel):
    """All values."""

    fullname_override: Annotated[
        str, StringConstraints(max_length=40, pattern=_LABEL_OR_NOTHING)
    ] = ""
    """What the names of all objects begin with; the release's name if empty."""
    images: Images = Images()
    """Where images come from."""
    watch_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=256)] = ()
    """Whose SearchJobs are run, with Roles in these only; all namespaces, with ClusterRoles, if
    empty."""
    search_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=256)] = ()
    """Which namespaces get what storage below needs: claims, volumes, a Secret."""
    storage: DefaultStorage = DefaultStorage()
    """Where searches that have no storage section keep their runs; nowhere if empty."""
    operator: OperatorPod = OperatorPod()
    """The operator's pod."""
    dask_controller: DaskController = DaskController()
    """The pod of dask's controller."""
    crds: Definitions = Definitions()
    """The CustomResourceDefinitions."""
    network_policies: NetworkPolicies = NetworkPolicies()
    """Who may reach what."""
    global_: Annotated[dict[str, Any] | None, Field(alias="global")] = None
    """What a chart around this one says to all of its charts; nothing here reads it."""


def values_schema() -> dict[str, Any]:
    """The JSON schema of the values, closed: nothing that is not described is accepted."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **structural(Values)}
    found = closed(schema)
    for each in found["properties"]["storage"]["properties"].values():
        each["type"] = [each["type"], "null"]  # a second file of values may do without the first's
    return found


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A structural schema as a plain JSON schema that accepts no field which it does not have."""
    found = {
        key: value
        for key, value in schema.items()
        if not key.startswith("x-kubernetes") and key != "default"
    }
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return {key: found[key] for key in ("type", "description") if key in found}
    if "properties" in found:
        found["additionalProperties"] = False
        found["properties"] = {n: closed(each) for n, each in found["properties"].items()}
    elif isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = closed(found["additionalProperties"])
    if isinstance(found.get("items"), dict):
        found["items"] = closed(found["items"])
    return found
