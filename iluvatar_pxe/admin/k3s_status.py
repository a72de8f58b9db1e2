"""A k3s cluster as plain data."""

from iluvatar_pxe.admin.cluster_places import places_of, progress_of
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.dns.members import Member, control_planes
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.founding import words
from iluvatar_pxe.provisioning.k3s_reports import K3sReport


def k3s_data(report: K3sReport, fleet: Fleet) -> Data:
    """Return how a cluster is."""
    record, layer = report.record, fleet.k3s(report.layer)
    servers = frozenset(one.name for one in control_planes(report.members, report.layer))
    return {
        "layer": report.layer,
        "kind": "k3s",
        "state": report.state,
        "why": words(report.step),
        "generation": record and record.generation,
        "founder": record and record.founder,
        "founded_at": record and record.founded,
        "servers": {"wanted": layer.servers if layer else 0, "listed": len(servers)},
        "machines": [
            _machine(one, report, "server" if one.name in servers else "agent") for one in report.members
        ],
        "version": record and record.version,
        "upkeep": report.upkeep,
        "leaving": dict(sorted(report.leaving.items())),
        "authorities": {path: utc(end) for path, end in sorted(report.authorities.items())},
        "places": places_of(report.layer, fleet),
        "progress": progress_of(
            record.version if record else None, (node.version for node in report.nodes.values())
        ),
    }


def _machine(member: Member, report: K3sReport, role: str) -> Data:
    node = report.nodes.get(member.name)
    return {
        "name": member.name,
        "role": role,
        "address": member.address and str(member.address),
        "node": node
        and {"ready": node.is_ready, "unschedulable": node.is_unschedulable, "version": node.version},
        "certificates_end": utc(end) if (end := report.ends.get(member.name)) else None,
        "etcd_member": member.name in report.etcd,
        "trouble": report.awaited.get(member.name),
    }
