"""The page *Clusters*. To see how they are, their machines are asked: once for all who look."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from iluvatar_pxe.admin.cluster_status import ClustersStatus
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.shared_answer import SharedAnswer, Told

ASK_SECONDS = 20.0
"""Between two looks at all machines of all clusters."""
WAITING_SECONDS = 2
"""How often a browser comes back while there is no answer yet."""
PATIENCE = 1.0
"""Seconds for which a page waits for a new answer; then it shows the last one, and when that was."""
_AUTHORITIES = {"etcd": "etcd", "k8s": "Kubernetes", "k8saggregator": "aggregation", "os": "Talos"}


def answer_of(context: WebContext) -> SharedAnswer[CommandResult]:
    """Return what asks clusters how they are."""

    async def ask() -> CommandResult:
        return await ClustersStatus().carry_out(context.commands, "the page")

    return SharedAnswer(ask, ASK_SECONDS)


def routes(answers: SharedAnswer[CommandResult], renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(_: web.Request) -> web.Response:
        return renderer.page("clusters.html", **page_of(await answers.get(PATIENCE)))

    return [web.get("/clusters", show)]


def page_of(told: Told[CommandResult] | None) -> dict[str, Any]:
    """Return what the template shows."""
    answer = (told and told.answer) or {"clusters": []}
    return {
        "asked": told and utc(told.at),
        "problem": told.problem if told else "",
        "clusters": [shown(one) for one in answer["clusters"]],
        "seconds": round(ASK_SECONDS) if told else WAITING_SECONDS,
    }


def shown(cluster: Data) -> Data:
    """Return a cluster of either kind as the template has it."""
    found = _common(cluster) | (_k3s(cluster) if cluster["kind"] == "k3s" else _talos(cluster))
    return found | {"has_states": any(one["state"] or one["trouble"] for one in found["machines"])}


def _common(cluster: Data) -> Data:
    return {
        key: cluster[key]
        for key in ("layer", "kind", "state", "why", "founder", "founded_at", "leaving", "places", "progress")
    } | {"ends": [(_AUTHORITIES.get(name, name), end) for name, end in _by_end(cluster["authorities"])]}


def _talos(cluster: Data) -> Data:
    nodes = {one["name"]: one for one in cluster["nodes"]}
    members = {one["name"]: one for one in cluster["etcd"]["members"]}
    changes = cluster["changes"]
    faults = cluster["etcd"]["troubles"] if members else []
    return {
        "system": "Talos",
        "leaders": cluster["control_planes"],
        "leading": "control planes",
        "etcd": [one["name"] or "(starting)" for one in cluster["etcd"]["members"]],
        "etcd_leader": cluster["etcd"]["leader"],
        "waits": list(filter(None, [changes["waits"]])),
        "changes": changes["machines"],
        "refused": cluster["refused"],
        "troubles": [*faults, *cluster["troubles"], *cluster["warnings"]],
        "snapshots": cluster["snapshots"],
        "machines": [_talos_machine(one, nodes, members) for one in cluster["machines"]],
    }


def _talos_machine(one: Data, nodes: Mapping[str, Data], members: Mapping[str, Data]) -> Data:
    member = members.get(one["name"])
    return {
        "name": one["name"],
        "role": one["role"],
        "address": one["address"],
        "state": one["stage"],
        "etcd": member and ("votes" if member["votes"] else "learns"),
        "versions": list(filter(None, [one["talos"], one["kubernetes"]])),
        "node": nodes.get(one["name"]),
        "ends": None,
        "trouble": one["trouble"] or "; ".join(one["unmet"]),
    }


def _k3s(cluster: Data) -> Data:
    machines = [_k3s_machine(one) for one in cluster["machines"]]
    return {
        "system": "k3s",
        "leaders": cluster["servers"],
        "leading": "servers",
        "etcd": [one["name"] for one in machines if one["etcd"]],
        "etcd_leader": None,
        "waits": list(filter(None, [cluster["upkeep"]])),
        "changes": {},
        "refused": {},
        "troubles": [],
        "snapshots": None,
        "machines": machines,
    }


def _k3s_machine(one: Data) -> Data:
    node = one["node"]
    return {
        "name": one["name"],
        "role": one["role"],
        "address": one["address"],
        "state": None,
        "etcd": "votes" if one["etcd_member"] else None,
        "versions": [node["version"]] if node and node["version"] else [],
        "node": node,
        "ends": one["certificates_end"],
        "trouble": one["trouble"] or "",
    }


def _by_end(ends: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(ends.items(), key=lambda one: one[1])
