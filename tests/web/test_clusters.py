"""The page *Clusters* as HTML, of both kinds of clusters."""

from datetime import UTC, datetime
from ipaddress import IPv4Address

from support.fleets import ARDA, fleet_of
from support.hostile import SCRIPT
from support.html import Page

from iluvatar_pxe.admin.cluster_status import cluster_data
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.k3s_status import k3s_data
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.dns.members import Member
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.arda.health import MachineReport
from iluvatar_pxe.layers.founding import Founded, Wait
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.provisioning.cluster_reports import ClusterReport
from iluvatar_pxe.provisioning.k3s_reports import K3sReport
from iluvatar_pxe.values import replace
from iluvatar_pxe.web.api.answers import Cluster, Clusters
from iluvatar_pxe.web.pages.clusters import ASK_SECONDS, WAITING_SECONDS, page_of
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.shared_answer import Told

NOW = datetime(2026, 11, 30, tzinfo=UTC)
FLEET = fleet_of(
    ("arda-01", "52:54:00:00:00:01", "role: controlplane\n"),
    arda=ARDA,
    ainur="servers: 3\ningress: 10.0.0.80\n",
)
RECORD = ClusterFile.model_validate(
    {
        "layer": "ainur",
        "caFingerprint": ":".join(["AB"] * 32),
        "founder": "ainur-01",
        "founded": "2026-11-29T12:00:00Z",
        "version": "v1.36.4+k3s1",
    }
)
NODE = Node("ainur-01", is_ready=True, is_unschedulable=True, boot="", note="", version="v1.36.3+k3s1")
K3S = K3sReport(
    layer="ainur",
    record=RECORD,
    step=Founded("it runs"),
    members=(
        Member("ainur-01", IPv4Address("10.0.0.1"), "ainur", leads=True),
        Member("ainur-02", None, "ainur"),
    ),
    nodes={"ainur-01": NODE, "ainur-02": replace(NODE, name="ainur-02", version="v1.36.4+k3s1")},
    upkeep="ainur: ainur-01 is drained",
    ends={"ainur-01": datetime(2027, 5, 1, tzinfo=UTC)},
    etcd=frozenset({"ainur-01"}),
    authorities={"tls/server-ca": datetime(2037, 1, 17, tzinfo=UTC)},
)
TALOS = ClusterReport(
    "arda",
    None,
    Wait("it has no secrets yet", ("arda-01",)),
    {"arda-01": Member("arda-01", IPv4Address("10.0.0.7"), "arda", leads=True)},
    {"arda-01": MachineReport(stage="running", version="v1.13.9", trouble=SCRIPT)},
    leading=frozenset({"arda-01"}),
)
BESIDES: Data = {
    "changes": {"waits": f"arda: {SCRIPT}", "machines": {"arda-01": ["machine.network", SCRIPT]}},
    "snapshots": {"kept": [], "problem": SCRIPT},
    "refused": {"arda-02": SCRIPT},
    "troubles": [SCRIPT],
}


def page(*clusters: Data) -> Page:
    told: Told[CommandResult] = Told(NOW, {"clusters": list(clusters)})
    return Page(Renderer().text("clusters.html", **page_of(told)))


def test_a_k3s_cluster_that_is_upgraded_says_how_far_it_is() -> None:
    shown = page(k3s_data(K3S, FLEET))
    assert shown.texts("h2") == ["ainur founded"]
    (bar,) = shown.all("progress")
    assert (bar.attributes["value"], bar.attributes["max"]) == ("1", "2")
    assert shown.texts("label", **{"for": bar.attributes["id"]}) == ["1 of 2 machines run k3s v1.36.4+k3s1"]
    facts = dict(zip(shown.texts("dt"), shown.texts("dd"), strict=True))
    assert facts["Under way"] == "ainur: ainur-01 is drained"
    assert facts["etcd"] == "ainur-01"
    assert facts["Servers"] == "1 of 3"
    assert facts["Ingress"] == "*.apps.ainur.lab.home.arpa at 10.0.0.80"
    assert facts["Argo CD"] == "namespace argocd, follows apps/ainur of the fleet"
    assert facts["CAs end"] == "tls/server-ca 2037-01-17"
    assert facts["API"] == "https://api.ainur.lab.home.arpa:6443"
    cells = shown.texts("td")
    assert {"server", "10.0.0.1", "votes", "v1.36.3+k3s1", "ready, cordoned", "2027-05-01"} <= set(cells)


def test_a_talos_cluster_says_what_it_waits_for_and_nothing_of_it_is_markup() -> None:
    shown = page(cluster_data(TALOS, FLEET) | BESIDES)
    assert shown.texts("h2") == ["arda waiting"]
    assert "it has no secrets yet" in shown.texts("p")
    assert not any(shown.texts("script"))
    facts = dict(zip(shown.texts("dt"), shown.texts("dd"), strict=True))
    assert facts["arda-01 changes"] == f"machine.network; {SCRIPT}"
    assert facts["arda-02 gets nothing"] == SCRIPT
    assert facts["Under way"] == f"arda: {SCRIPT}"
    assert facts["Snapshots"] == f"none; {SCRIPT}"
    assert SCRIPT in shown.texts("td")
    assert facts["Ingress"].startswith("none; ")


def test_the_api_describes_what_is_told() -> None:
    told = {"clusters": [k3s_data(K3S, FLEET), cluster_data(TALOS, FLEET) | BESIDES]}
    for one in Clusters.model_validate(told).clusters:
        assert one.model_fields_set >= set(Cluster.model_fields)


def test_while_machines_are_asked_for_the_first_time_the_page_comes_back_soon() -> None:
    shown = Page(Renderer().text("clusters.html", **page_of(None)))
    assert shown.texts("p", role="status") == ["The machines are being asked how they are."]
    assert shown.all("div", id="clusters")[0].attributes["hx-trigger"] == f"every {WAITING_SECONDS}s"


def test_why_nobody_could_be_asked_is_told() -> None:
    told: Told[CommandResult] = Told(NOW, problem=SCRIPT)
    shown = Page(Renderer().text("clusters.html", **page_of(told)))
    assert shown.texts("p", **{"class": "problem"}) == [SCRIPT]
    assert shown.all("div", id="clusters")[0].attributes["hx-trigger"] == f"every {ASK_SECONDS:.0f}s"


def test_a_fleet_without_clusters_says_so() -> None:
    assert "The fleet has no layer whose cluster the daemon founds." in page().texts("p")
