"""``iluvatar-pxe cluster status``: how the fleet's clusters are."""

from collections.abc import Iterator
from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.clusters import ClustersStatus
from iluvatar_pxe.cli.cluster.k3s_status import k3s_lines, shown_node
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import Cell, fields, say, say_json, table, terminal_width
from iluvatar_pxe.errors import OperationError

_COLUMNS = (
    ("machine",),
    ("role",),
    ("address",),
    ("stage",),
    ("Talos",),
    ("Kubernetes",),
    ("disk",),
    ("node",),
    ("why",),
)
_FOLDING = (8,)
_NAMES = {"etcd": "etcd", "k8s": "Kubernetes", "k8saggregator": "aggregation", "os": "Talos"}
_NO_CLUSTER = "The fleet has no layer whose cluster the daemon founds."


def status(
    layer: Annotated[str | None, typer.Argument(metavar="[LAYER]", help="One layer. Default: all.")] = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show how clusters are: etcd, machines, nodes, the CAs' ends, and what they wait for; exits 1 if one is not well."""
    clusters = ask_running(settings_of_daemon(config), ClustersStatus())["clusters"]
    chosen = [one for one in clusters if layer in (None, one["layer"])]
    if layer and not chosen:
        known = ", ".join(one["layer"] for one in clusters) or "none"
        raise OperationError(f"{layer}: the daemon founds no cluster of this name; it knows: {known}")
    if as_json:
        say_json(chosen)
    else:
        say(status_lines(chosen, terminal_width()))
    raise typer.Exit(0 if all(one["state"] == "founded" for one in chosen) else 1)


def status_lines(clusters: list[Data], width: int | None) -> Iterator[str]:
    """Lay out what is known of clusters."""
    if not clusters:
        yield _NO_CLUSTER
    for number, one in enumerate(clusters):
        if number:
            yield ""
        yield f"{one['layer']}: {one['state']}"
        if one["kind"] == "k3s":
            yield from k3s_lines(one, width)
            continue
        yield from fields(_summary(one), width)
        if one["machines"]:
            nodes = {node["name"]: node for node in one["nodes"]}
            yield from table(_COLUMNS, [_row(machine, nodes) for machine in one["machines"]], width, _FOLDING)


def _summary(one: Data) -> dict[str, str]:
    members = [member["name"] or "(starting)" for member in one["etcd"]["members"]]
    planes = one["control_planes"]
    ends = [f"{_NAMES[name]} {end[:10]}" for name, end in one["authorities"].items()]
    schedules = "applications run on them, too, as no worker is listed"
    return {
        "why": "" if one["state"] == "founded" else one["why"],
        "founded": f"{one['founded_at']} by {one['founder']}" if one["founded_at"] else "",
        "founder": one["founder"] or "" if not one["founded_at"] else "",
        "etcd": ", ".join(members) + (f"; {one['etcd']['leader']} leads" if one["etcd"]["leader"] else ""),
        "etcd faults": "; ".join(one["etcd"]["troubles"]) if members else "",
        "control planes": f"{planes['listed']} of {planes['wanted']}"
        + (f"; {schedules}" if one["schedules_on_control_planes"] else ""),
        "leaving": "; ".join(f"{name}: {why}" for name, why in one["leaving"].items()),
        "refused": "; ".join(f"{name}: {why}" for name, why in one["refused"].items()),
        "troubles": "; ".join(one["troubles"]),
        "warnings": "; ".join(one["warnings"]),
        "changes": _changes(one["changes"]),
        "CAs end": ", ".join(ends),
        "snapshots": _snapshots(one["snapshots"]),
    }


def _changes(found: Data) -> str:
    """Return what is to be changed of machines, and what that waits for."""
    machines = [f"{name}: {'; '.join(lines)}" for name, lines in found["machines"].items()]
    return "; ".join([*([found["waits"]] if found["waits"] else []), *machines])


def _snapshots(found: Data) -> str:
    """Return the last snapshot of etcd on this host, and why there is no newer one."""
    kept = found["kept"]
    last = f"{len(kept)} kept, the last one of {kept[0]['taken']}" if kept else "none"
    return f"{last}; {found['problem']}" if found["problem"] else last


def _row(machine: Data, nodes: dict[str, Data]) -> list[Cell]:
    texts = (
        machine["name"],
        machine["role"],
        machine["address"] or "",
        machine["stage"] or "",
        machine["talos"] or "",
        machine["kubernetes"] or "",
        machine["disk"] or "",
        shown_node(nodes.get(machine["name"])),
        machine["trouble"] or "; ".join(machine["unmet"]),
    )
    return [(text,) for text in texts]
