"""Takes a k3s cluster that exists into the fleet's files. Its machines are only read, by GET requests to its API."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.changes.adopting import Adopted, adopt, adopted_files
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.ainur.adoption.observed import ObservedCluster, ObservedNode
from iluvatar_pxe.layers.ainur.adoption.options import translated
from iluvatar_pxe.layers.ainur.adoption.reading import read_cluster
from iluvatar_pxe.layers.ainur.adoption.tokens import refused_tokens
from iluvatar_pxe.layers.ainur.adoption.verdict import cautions, refusals
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.machines.states import Intent
from iluvatar_pxe.provisioning.bundle_kinds import K3S
from iluvatar_pxe.provisioning.cluster_context import ClusterContext

_LIFETIME = timedelta(minutes=15)
"""Of the certificate that the API is read with."""


class Adoption(Struct, frozen=True, kw_only=True):
    """What became of a cluster, or would."""

    nodes: tuple[ObservedNode, ...]
    files: Mapping[str, str]
    """By path, what is written, without what is sealed."""
    cautions: tuple[str, ...]
    """What is not taken, and what people are to do: one line each."""


class Adopter(Struct, frozen=True):
    """Reads clusters and commits them."""

    context: ClusterContext
    mac_of: Callable[[IPv4Address], Awaitable[str | None]]
    """Returns the MAC of who has an address on a network of this host, None where nobody is heard there."""

    async def adopt(
        self,
        layer: str,
        bundle: K3sBundle,
        server: tuple[str, int],
        macs: Mapping[str, str],
        *,
        is_played: bool = False,
    ) -> Adoption:
        """Adopt a cluster as a layer, or find out what that would do where ``is_played``.

        ``server`` is host and port of one of its API servers, ``macs`` what is known by the names of its nodes. Raises
        IluvatarError; OperationError has all that keeps it from being adopted.
        """
        await self.context.secrets.check(layer, bundle)
        cluster = await self._read(bundle, server)
        adopted = Adopted(
            layer=layer,
            cluster=cluster,
            macs=await self._macs(cluster, macs),
            fingerprint=K3S.fingerprint(bundle),
            at=wall_clock(),
        )
        _check_macs(adopted, macs)
        revision = self.context.repository.revision()
        if revision is None:
            raise OperationError(
                "the fleet is in no Git repository; set [fleet] source to hosted or to a repository"
            )
        files = {path: text.decode() for path, text in adopted_files(revision, adopted).items()}
        if not is_played:
            await self.context.secrets.adopt(layer, bundle, lambda newest, text: adopt(newest, adopted, text))
        api = f"api.{layer}.{revision.fleet.settings.domain}"
        left = (
            *translated(cluster.nodes).left_out,
            *cautions(cluster, api),
            *_without_file(adopted),
            *_to_be_installed(adopted, revision.fleet),
        )
        return Adoption(nodes=cluster.nodes, files=files, cautions=left)

    async def _read(self, bundle: K3sBundle, server: tuple[str, int]) -> ObservedCluster:
        """Return what the API tells that can be adopted; a server that it does not prove to be of these secrets is refused."""
        host, port = server
        credentials = self.context.secrets.administrator(bundle, _LIFETIME)
        cluster = await read_cluster(host, credentials, port=port)
        found = [*refusals(cluster)]
        found += [
            f"{name}: is not the {name} of this cluster: https://{host}:{port} refuses it"
            for name in await refused_tokens(host, bundle, port=port)
        ]
        if found:
            raise OperationError("; ".join(found))
        return cluster

    async def _macs(self, cluster: ObservedCluster, told: Mapping[str, str]) -> dict[str, str]:
        """Return by name the MACs of nodes: as told, as seen when they booted, or as their network tells."""
        machines = sorted(self.context.snapshot().by_id.values(), key=lambda one: one.last_seen)
        seen = {one.address: one.macs[0] for one in machines if one.address}
        found: dict[str, str] = {}
        for node in cluster.nodes:
            mac = told.get(node.name)
            if mac is None and node.address:
                mac = seen.get(node.address) or await self.mac_of(node.address)
            if mac:
                found[node.name] = mac
        return found


def _check_macs(adopted: Adopted, told: Mapping[str, str]) -> None:
    """Raise OperationError for a MAC of no node, and for a server without one, in whose place another would be taken."""
    names = {one.name for one in adopted.cluster.nodes}
    if strange := sorted(told.keys() - names):
        raise OperationError(
            f"{strange[0]}: is no node of this cluster, which has {', '.join(sorted(names))}"
        )
    if unknown := [one.name for one in adopted.cluster.servers if one.name not in adopted.macs]:
        options = " ".join(f"--mac {name}=MAC" for name in unknown)
        raise OperationError(f"{', '.join(unknown)}: no MAC of a server is known here; add {options}")


def _to_be_installed(adopted: Adopted, fleet: Fleet) -> list[str]:
    """Say which nodes had a file that lets them be installed at any boot."""
    names = {one.name for one in adopted.cluster.nodes}
    return [
        f"{one.name}: machines/{one.name}.yaml stays as it is, and its next boot from the network installs it; add "
        "intent: local until its turn has come"
        for one in fleet.listed
        if one.name in names and one.file.intent is not Intent.LOCAL
    ]


def _without_file(adopted: Adopted) -> list[str]:
    return [
        f"{one.name}: gets no file, for no MAC of it is known here; add machines/{one.name}.yaml by hand, with "
        "match: {macs: [MAC]}, " + f"layer: {adopted.layer}, role: agent and intent: local"
        for one in adopted.cluster.nodes
        if one.name not in adopted.macs
    ]
