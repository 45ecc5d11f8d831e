"""What the docs have people type at a cluster, typed, with a namespace or a server put in."""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest
import yaml

from tests.e2e.helm import Helm, install_shared, remove_shared
from tests.e2e.kube import Kube, Object
from tests.e2e.kubectl import programs
from tests.e2e.objects import MOUNT
from tests.e2e.search_jobs import API, KIND, SMALL
from tests.e2e.servers import KEYS, await_server, minio
from tests.faults.scripts import SCRIPT
from tests.kind.cluster import Cluster
from tests.pages import clone, commands, fenced, run_as_written, shown_file
from tests.waiting import until

pytestmark = pytest.mark.e2e

SEARCH = {
    "script": {"inline": SCRIPT},
    "args": ["--trials", "60", "--seconds", "2"],
    "worker": SMALL,
}
"""One that is still at it when a release has been upgraded and taken away."""


class Shell:
    """Somebody in a clone with Helm and kubectl, at a namespace of the cluster."""

    def __init__(self, cluster: Cluster, folder: pathlib.Path, namespace: str) -> None:
        self.folder = clone(folder / "clone")
        kubeconfig = shutil.copy(cluster.kubeconfig, folder / "kubeconfig")
        self._env = {"KUBECONFIG": str(kubeconfig), "HOME": str(folder)}
        self._programs = programs(cluster)
        self._path = os.pathsep.join([*map(str, self._programs), os.environ["PATH"]])
        self.run(f"kubectl config set-context --current --namespace {namespace}")

    def run(self, script: str, put_in: Mapping[str, str] | None = None) -> str:
        """What it says."""
        return run_as_written(
            script, self.folder, *self._programs, put_in=put_in, env=self._env, seconds=400
        )

    def watch(self, command: str, until_seen: str) -> str:
        """What it says to a command that does not end, up to a line like ``until_seen``."""
        seen = ""
        with subprocess.Popen(
            ["timeout", "240", *shlex.split(command)],
            cwd=self.folder,
            env={**os.environ, **self._env, "PATH": self._path},
            text=True,
            stdout=subprocess.PIPE,
        ) as watching:
            assert watching.stdout is not None
            for line in watching.stdout:
                seen += line
                if re.search(until_seen, line):
                    break
            watching.terminate()
        return seen

    def block(self, page: str, name: str, put_in: Mapping[str, str] | None = None) -> str:
        """What the commands of a page say."""
        return self.run(commands(page, name).script, put_in)


@pytest.fixture
def shell(cluster: Cluster, namespace: str, tmp_path: pathlib.Path) -> Shell:
    """At a namespace of the test."""
    return Shell(cluster, tmp_path, namespace)


def phase(kube: Kube, namespace: str) -> str | None:
    """How far the docs' search is."""
    found: Object = kube.get(API, KIND, "first", namespace) or {}
    return (found.get("status") or {}).get("phase")


@pytest.mark.xdist_group("samples")  # its pods ask for as much as those of samples
class TestSearchJob:
    def first(self, shell: Shell) -> None:
        """Write down the page's SearchJob, as its reader does."""
        block = fenced((shell.folder / "docs/searchjob.md").read_text(), "yaml")[0]
        assert yaml.safe_load(block)["metadata"]["name"] == "first"
        (shell.folder / "first.yaml").write_text(block)

    def test_from_its_file_to_its_results(
        self, kube: Kube, shell: Shell, namespace: str, claim: str
    ) -> None:
        self.first(shell)
        applied, watched, *others = commands("searchjob.md", "first").lines
        assert "searchjob.hyn-k8s.dev/first created" in shell.run(applied)
        seen = shell.watch(watched, r"^first +Complete ")
        assert re.search(r"^first +(Starting|Running) ", seen, re.M)
        assert re.search(r"^first +Complete +12 +12 ", seen, re.M)
        said = shell.run("\n".join(["set -e", *others]))
        assert "searchjob.hyn-k8s.dev/first condition met" in said
        assert said.splitlines()[-1].startswith(f"{MOUNT}/hypernets/first-")
        looked = shell.block("waiting.md", "look", {"heart": "first"})
        assert re.search(r"^first +Complete ", looked, re.M)
        assert re.search(r"^ +Type: +Complete$", looked, re.M)
        assert re.search(r" Normal +\w+ +searchjob/first ", looked)

    @pytest.mark.full  # most of a minute; suspension and what may change are tried elsewhere, too
    def test_more_memory_in_the_middle(
        self, kube: Kube, shell: Shell, namespace: str, claim: str
    ) -> None:
        self.first(shell)
        shell.run("kubectl apply -f first.yaml")
        until(lambda: phase(kube, namespace) == "Running", "the search to run", 120)
        said = shell.block("searchjob.md", "memory")
        assert "searchjob.hyn-k8s.dev/first condition met" in said
        until(lambda: phase(kube, namespace) == "Complete", "the search to complete", 240)
        found = kube.get(API, KIND, "first", namespace)
        assert found is not None
        assert found["spec"]["worker"]["resources"]["requests"] == {"memory": "2Gi"}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("README.md", ["nfs", "class", "bucket"]),
        ("chart.md", ["install", "namespaces", "claim", "nfs", "class", "keys", "dask"]),
    ],
)
def test_an_installation_is_one_that_the_cluster_takes(
    cluster: Cluster,
    tmp_path: pathlib.Path,
    namespace: str,
    other_namespace: str,
    claim: str,
    other_claim: str,
    page: str,
    names: list[str],
) -> None:
    shell = Shell(cluster, tmp_path, namespace)
    for name in names:
        (command,) = commands(page, name).lines
        for file in re.findall(r"--values (\S+)", command):
            text = shown_file(page, file).replace("[red, blue]", f"[{namespace}]")
            (shell.folder / file).write_text(text)
        searching = re.search(r"\{[\w-]+,[\w-]+\}", command)
        own = {searching[0]: f"{{{namespace},{other_namespace}}}"} if searching else {}
        said = shell.run(f"{command} --dry-run=server", own)
        assert "STATUS: pending-install" in said, name
        assert "NOTES:" in said, name


@pytest.fixture
def places(helm: Helm, kube: Kube, cluster: Cluster) -> Iterator[None]:
    """What the docs speak of: a namespace `red`, and a bucket's server in `storage`; no release."""
    remove_shared(helm, kube)
    names = ("red", "storage")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in names:
        metadata = {"name": name, "labels": labels}
        kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
    try:
        kube.apply(minio(cluster.images["minio"]), "storage")
        await_server(kube, "minio", "storage")
        yield
    finally:
        kube.await_gone(API, KIND, "first", "red")
        helm("hyn-k8s", "uninstall", "hyn-k8s", "--ignore-not-found", "--wait")
        for name in (*names, "hyn-k8s"):
            kube.await_gone("v1", "Namespace", name)
        install_shared(helm, kube, cluster)


@pytest.mark.alone
@pytest.mark.full  # it takes minutes; each step is tried otherwise in releases
def test_the_life_of_a_release(
    kube: Kube, cluster: Cluster, tmp_path: pathlib.Path, places: None
) -> None:
    shell = Shell(cluster, tmp_path, "red")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"auths": {}}')
    # What the nodes have as hyn-k8s/operator has this name as well.
    shell.block("chart.md", "registry", {"registry.example.com:5000/mirror": "docker.io"})
    shell.block("chart.md", "upgrade")
    shell.block("chart.md", "uninstall")

    access, secret = (f"={key}" for key in KEYS)
    keys = {"access=minioadmin": f"access{access}", "secret=minioadmin": f"secret{secret}"}
    shell.block("chart.md", "bucket", keys)
    search = {"apiVersion": API, "kind": KIND, "metadata": {"name": "first"}, "spec": SEARCH}
    kube.apply([search], "red")
    until(lambda: phase(kube, "red") == "Running", "the search to run", 180)
    (shell.folder / "monitoring.yaml").write_text(shown_file("chart.md", "monitoring.yaml"))
    shell.block("chart.md", "monitoring")
    shell.block("chart.md", "uninstall")
    assert phase(kube, "red") == "Suspended"

    said = shell.block("chart.md", "definitions")
    assert "customresourcedefinition.apiextensions.k8s.io/searchjobs.hyn-k8s.dev" in said
    said = shell.block("chart.md", "go-on")
    assert re.search(r"^red +first +Suspended ", said, re.M)
    assert "searchjob.hyn-k8s.dev/first patched" in said
    until(lambda: phase(kube, "red") == "Complete", "the search to complete", 240)
