"""Commands that tell how clusters are, and what they wait for."""

from iluvatar_pxe.admin.cluster_places import places_of, progress_of
from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.k3s_status import k3s_data
from iluvatar_pxe.admin.requests import clusters as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.admin.snapshots import snapshots_of
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.health import EtcdHealth, MachineReport
from iluvatar_pxe.layers.arda.machine_facts import declared_workers
from iluvatar_pxe.layers.founding import Founded, NoteFounded, Refuse, words
from iluvatar_pxe.provisioning.cluster_reports import ClusterReport
from iluvatar_pxe.provisioning.k3s_reports import k3s_report


class ClustersStatus(requests.ClustersStatus, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        clusters = of_daemon(context.clusters)
        reports = await clusters.reports()
        k3s = [await k3s_report(watch) for watch in clusters.k3s.watches.values()]
        snapshots, convergence = of_daemon(context.snapshots), of_daemon(context.convergence)
        troubles = of_daemon(context.troubles)
        return {
            "clusters": [
                cluster_data(one, context.fleet)
                | {
                    "changes": convergence.told(one.layer),
                    "snapshots": await snapshots_of(snapshots, one.layer),
                    "refused": troubles.refusals.of(one.layer),
                    "troubles": await troubles.of(one.layer),
                }
                for one in reports
            ]
            + [k3s_data(one, context.fleet) for one in k3s]
        }


class ShowAwaited(requests.ShowAwaited, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        convergence = of_daemon(context.convergence)
        changes = {
            name: lines
            for layer in convergence.layers
            for name, lines in convergence.told(layer)["machines"].items()
        }
        clusters, troubles = of_daemon(context.clusters), of_daemon(context.troubles)
        layers = clusters.context.layers()
        refused = {name: why for layer in layers for name, why in troubles.refusals.of(layer).items()}
        found = {layer: await _troubles(layer, context) for layer in layers}
        return {"awaited": clusters.awaited, "changes": changes, "refused": refused, "troubles": found}


async def _troubles(layer: str, context: CommandContext) -> list[str]:
    snapshots = of_daemon(context.snapshots).why_not(layer)
    told = [f"no snapshot of its etcd is taken: {snapshots}"] if snapshots else []
    return [*await of_daemon(context.troubles).of(layer), *told]


def cluster_data(report: ClusterReport, fleet: Fleet) -> Data:
    """Return a cluster as plain data."""
    record, layer = report.record, fleet.talos(report.layer)
    etcd = report.etcd
    return {
        "layer": report.layer,
        "kind": "talos",
        "state": _state(report),
        "why": words(report.step),
        "generation": record and record.generation,
        "founder": record and record.founder,
        "founded_at": record and record.founded,
        "control_planes": {"wanted": layer.control_planes if layer else 0, "listed": len(report.leading)},
        "schedules_on_control_planes": _schedules(report.layer, fleet),
        "etcd": _etcd(etcd),
        "machines": [_machine(name, report) for name in sorted(report.members)],
        "nodes": _nodes(report),
        "leaving": dict(sorted(report.leaving.items())),
        "warnings": list(report.warnings),
        "authorities": {name: utc(end) for name, end in sorted(report.authorities.items())},
        "places": places_of(report.layer, fleet),
        "progress": progress_of(
            layer.talos.version if layer else None, (one.version for one in report.machines.values())
        ),
    }


def _state(report: ClusterReport) -> str:
    if isinstance(report.step, Refuse):
        return "refused"
    if isinstance(report.step, Founded | NoteFounded):
        return "unhealthy" if report.etcd.troubles else "founded"
    return "waiting"


def _schedules(layer: str, fleet: Fleet) -> bool:
    """Say whether applications also run on control planes, as the configurations have it."""
    try:
        return declared_workers(layer, fleet) == 0
    except ConfigurationError:
        return False


def _etcd(etcd: EtcdHealth) -> Data:
    members = [
        {"name": one.hostname or None, "id": f"{one.id:016x}", "votes": not one.is_learner}
        for one in etcd.members
    ]
    return {"members": members, "leader": etcd.leader or None, "troubles": list(etcd.troubles)}


def _machine(name: str, report: ClusterReport) -> Data:
    said = report.machines.get(name, MachineReport(trouble="was not asked"))
    address = report.members[name].address
    return {
        "name": name,
        "role": "controlplane" if name in report.leading else "worker",
        "address": address and str(address),
        "stage": said.stage or None,
        "ready": said.is_ready,
        "unmet": list(said.unmet),
        "talos": said.version or None,
        "kubernetes": said.kubernetes or None,
        "disk": said.disk or None,
        "database_bytes": said.etcd and said.etcd.db_size,
        "trouble": said.trouble or None,
    }


def _nodes(report: ClusterReport) -> list[Data]:
    nodes = {node.name: node for said in report.machines.values() for node in said.nodes}
    return [
        {"name": name, "ready": node.is_ready, "unschedulable": node.is_unschedulable}
        for name, node in sorted(nodes.items())
    ]
