"""Requests on clusters: how they are, their secrets, what is signed with them, and snapshots of etcd."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from iluvatar_pxe.admin.requests.machines import HostName, Mac
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.fleet.fields.layer_names import LayerName

LONGEST_TTL = 365 * 24 * 3600
"""Seconds; talosctl's own files are valid for as long."""
SHORTEST_TTL = 60
_ANSWERS_SECRETS = "its answer has secrets"
_TAKES_SECRETS = "secrets are given there only"
Ttl = Annotated[int, Field(ge=SHORTEST_TTL, le=LONGEST_TTL)]


class ClustersStatus(Request):
    """``cluster status``: asks the machines of all clusters how they are; tells no secret."""

    method = "GET"
    route = "/api/v1/clusters"


class ShowAwaited(Request):
    """Tells which machines a cluster waits for, and why; what is to be changed of which; and what is wrong with them."""

    method = "GET"
    route = "/api/v1/clusters/awaited"


class ExportSecrets(Request):
    """``cluster secrets export``: returns a cluster's secrets; no GET, so that the log has who asked."""

    route = "/api/v1/clusters/{layer}/secrets/export"
    local = _ANSWERS_SECRETS
    layer: str


class ImportSecrets(Request):
    """``cluster secrets import``: gives a cluster the secrets that it has elsewhere."""

    method = "PUT"
    route = "/api/v1/clusters/{layer}/secrets"
    local = _TAKES_SECRETS
    layer: str
    secrets: Annotated[str, Field(repr=False)]


class AdoptCluster(Request):
    """``cluster adopt``: takes a k3s cluster that exists into the fleet's files, or tells what that would do."""

    route = "/api/v1/clusters/{layer}/adopt"
    local = _TAKES_SECRETS
    layer: LayerName
    secrets: Annotated[str, Field(repr=False)]
    host: str
    """Of an API server, or its address."""
    port: Annotated[int, Field(ge=1, le=65535)]
    macs: Mapping[HostName, Mac] = Field(default_factory=dict)
    """By the names of nodes."""
    dry_run: bool = False


class RecoverCluster(Request):
    """``cluster recover``: tells what would bring a k3s cluster back, and with ``agreed`` begins it."""

    route = "/api/v1/clusters/{layer}/recover"
    layer: str
    server: str = ""
    """Whose data counts; empty: the newest."""
    agreed: str | None = None
    """The mark of the plan that a person has agreed to."""


class MakeTalosconfig(Request):
    """``cluster talosconfig``: signs an administrator's certificate for Talos' API."""

    route = "/api/v1/clusters/{layer}/talosconfig"
    local = _ANSWERS_SECRETS
    layer: str
    ttl: Ttl


class MakeKubeconfig(Request):
    """``cluster kubeconfig``: signs an administrator's certificate for the Kubernetes API."""

    route = "/api/v1/clusters/{layer}/kubeconfig"
    local = _ANSWERS_SECRETS
    layer: str
    ttl: Ttl


class UpgradeCluster(Request):
    """``cluster upgrade``: has the nodes of a k3s cluster upgraded to the version in the layer's file."""

    route = "/api/v1/clusters/{layer}/upgrade"
    layer: str


class TakeSnapshot(Request):
    """``cluster snapshot``: takes a snapshot of a cluster's etcd now."""

    route = "/api/v1/snapshots"
    layer: str | None = None
    """None: the only cluster that there is."""


class JoinCluster(Request):
    """``cluster join``: returns what this host configures itself with as a node; no GET, as its ticket gives secrets."""

    route = "/api/v1/clusters/join"
    local = _ANSWERS_SECRETS
    macs: tuple[str, ...]
    """Of this host's NICs."""
    architecture: str
    """As ``uname -m`` prints it."""
    on_card: bool
    """Whether ``/var/lib`` is on an SD card or eMMC."""
