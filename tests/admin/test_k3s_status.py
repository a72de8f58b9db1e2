"""How a k3s cluster is, as plain data and on a terminal."""

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.admin.k3s_status import k3s_data
from iluvatar_pxe.cli.cluster.status import status_lines
from iluvatar_pxe.dns.members import Member
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.founding import Founded, NoteFounded, Refuse, Step, Wait
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.provisioning.k3s_reports import K3sReport
from iluvatar_pxe.values import replace

FLEET = fleet_of(ainur="servers: 3\n")
RECORD = ClusterFile.model_validate(
    {
        "layer": "ainur",
        "caFingerprint": ":".join(["AB"] * 32),
        "founder": "ainur-01",
        "founded": "2026-11-29T12:00:00Z",
    }
)
SERVER = Member("ainur-01", IPv4Address("10.0.0.1"), "ainur", leads=True)
AGENT = Member("ainur-02", None, "ainur")
FOUNDED = K3sReport(
    layer="ainur",
    record=RECORD,
    step=Founded("it has 1 server: ainur-01"),
    members=(SERVER, AGENT),
    nodes={"ainur-01": Node("ainur-01", is_ready=True, is_unschedulable=True, boot="", note="")},
    authorities={
        "tls/server-ca": datetime(2037, 1, 17, tzinfo=UTC),
        "root-ca": datetime(2046, 11, 26, tzinfo=UTC),
    },
)


def shown(report: K3sReport) -> list[str]:
    """Return the lines of the terminal, with single spaces."""
    return [" ".join(line.split()) for line in status_lines([k3s_data(report, FLEET)], None)]


def test_a_founded_cluster_tells_its_machines_nodes_and_ends() -> None:
    data = k3s_data(FOUNDED, FLEET)
    assert json.loads(json.dumps(data)) == data
    assert (data["kind"], data["state"], data["founder"]) == ("k3s", "founded", "ainur-01")
    assert data["servers"] == {"wanted": 3, "listed": 1}
    assert data["authorities"] == {
        "root-ca": "2046-11-26T00:00:00.000Z",
        "tls/server-ca": "2037-01-17T00:00:00.000Z",
    }
    assert shown(FOUNDED) == [
        "ainur: founded",
        "founded 2026-11-29T12:00:00Z by ainur-01",
        "servers 1 of 3",
        "CAs end 2037-01-17, tls/server-ca first",
        "machine role address node why",
        "ainur-01 server 10.0.0.1 ready, cordoned",
        "ainur-02 agent",
    ]


def test_nodes_that_leave_are_told() -> None:
    report = replace(FOUNDED, leaving={"ainur-09": "its pods are moved to other nodes"})
    assert k3s_data(report, FLEET)["leaving"] == {"ainur-09": "its pods are moved to other nodes"}
    assert "leaving ainur-09: its pods are moved to other nodes" in shown(report)


def test_what_is_done_with_nodes_is_told_and_which_version_they_run() -> None:
    node = replace(FOUNDED.nodes["ainur-01"], version="v1.36.3+k3s1")
    record = RECORD.model_copy(update={"version": "v1.36.4+k3s1"})
    report = replace(FOUNDED, record=record, nodes={"ainur-01": node}, upkeep="ainur: ainur-01 starts")
    assert {"k3s v1.36.4+k3s1", "nodes ainur: ainur-01 starts"} <= set(shown(report))
    assert "ainur-01 server 10.0.0.1 ready, v1.36.3+k3s1, cordoned" in shown(report)


def test_a_cluster_that_waits_says_for_what() -> None:
    waits = replace(FOUNDED, record=None, step=Wait("it has no secrets yet"), members=(), authorities={})
    assert shown(waits) == ["ainur: waiting", "why it has no secrets yet", "servers 0 of 3"]


@pytest.mark.parametrize(
    ("step", "awaited", "state"),
    [
        (Wait("x"), {}, "waiting"),
        (Refuse("x"), {}, "refused"),
        (NoteFounded("x"), {}, "founded"),
        (Founded("x"), {"ainur-02": "10.0.0.2: k3s does not answer"}, "unhealthy"),
    ],
)
def test_the_state_is_one_word(step: Step, awaited: dict[str, str], state: str) -> None:
    report = replace(FOUNDED, step=step, awaited=awaited)
    assert report.state == state
    assert shown(report)[0] == f"ainur: {state}"
    for why in awaited.values():
        assert shown(report)[-1].endswith(why)
