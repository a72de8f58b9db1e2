"""A k3s cluster on a terminal."""

from collections.abc import Iterator

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.cli.tables import Cell, fields, table

_COLUMNS = (("machine",), ("role",), ("address",), ("node",), ("why",))
_FOLDING = (4,)


def k3s_lines(one: Data, width: int | None) -> Iterator[str]:
    """Lay out what is known of a cluster."""
    yield from fields(_summary(one), width)
    if one["machines"]:
        yield from table(_COLUMNS, [_row(machine) for machine in one["machines"]], width, _FOLDING)


def _summary(one: Data) -> dict[str, str]:
    servers, ends = one["servers"], one["authorities"]
    first = min(ends, key=lambda path: ends[path], default="")
    return {
        "why": "" if one["state"] == "founded" else one["why"],
        "founded": f"{one['founded_at']} by {one['founder']}" if one["founded_at"] else "",
        "founder": one["founder"] or "" if not one["founded_at"] else "",
        "servers": f"{servers['listed']} of {servers['wanted']}",
        "k3s": one["version"] or "",
        "nodes": one["upkeep"],
        "leaving": "; ".join(f"{name}: {why}" for name, why in one["leaving"].items()),
        "CAs end": f"{ends[first][:10]}, {first} first" if first else "",
    }


def _row(machine: Data) -> list[Cell]:
    texts = (
        machine["name"],
        machine["role"],
        machine["address"] or "",
        shown_node(machine["node"]),
        machine["trouble"] or "",
    )
    return [(text,) for text in texts]


def shown_node(node: Data | None) -> str:
    """Return what Kubernetes says of a machine's node; nothing where it has none."""
    if node is None:
        return ""
    version = f", {node['version']}" if node.get("version") else ""
    ready = ("ready" if node["ready"] else "not ready") + version
    return f"{ready}, cordoned" if node["unschedulable"] else ready
