"""How a cluster is, as plain data and on a terminal; asked of stand-ins."""

import json
from pathlib import Path

from support.fleets import ARDA, fleet_of
from support.founding import founding_site
from support.talos.cluster import KUBERNETES
from support.waiting import until

from iluvatar_pxe.admin.cluster_status import cluster_data
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.cli.cluster.status import status_lines
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.founding import Founded, Wait
from iluvatar_pxe.provisioning.cluster_reports import ClusterReport

LONGHORN = "kind: Application\nspec: {source: {chart: longhorn}}\n"
MAC = "52:54:00:00:00:01"
NOTHING_ELSE: Data = {
    "leaving": {},
    "changes": {"waits": None, "machines": {}},
    "snapshots": {"kept": [], "problem": None},
    "refused": {},
    "troubles": [],
}


async def test_a_founded_cluster_tells_its_etcd_machines_nodes_and_ends(tmp_path: Path) -> None:
    trouble: list[str] = []

    async def check(_layer: str) -> None:
        if trouble:
            raise ConfigurationError(trouble[0])

    async with founding_site(tmp_path, planes=1, check=check) as site:
        (one,), (daemon,) = site.planes, site.daemons
        daemon.start()
        await one.power_on()
        await until(lambda: isinstance(daemon.step, Founded) and one.boot and one.boot.is_ready)
        (report,) = await daemon.clusters.reports()
        data = cluster_data(report, daemon.context.fleet())
        assert json.loads(json.dumps(data)) == data
        for secret in (site.talos.bundle.os.key, site.talos.bundle.cluster_secret):
            assert secret not in str(data)
        assert data["state"] == "founded"
        assert data["founder"] == data["etcd"]["leader"] == "controlplane-1"
        assert [member["name"] for member in data["etcd"]["members"]] == ["controlplane-1"]
        assert data["control_planes"] == {"wanted": 1, "listed": 1}
        assert data["schedules_on_control_planes"]
        assert data["nodes"] == [{"name": "controlplane-1", "ready": True, "unschedulable": False}]
        (machine,) = data["machines"]
        assert (machine["stage"], machine["ready"], machine["talos"]) == ("running", True, one.version)
        assert (machine["disk"], machine["kubernetes"]) == ("/dev/sda", KUBERNETES)
        assert sorted(data["authorities"]) == ["etcd", "k8s", "k8saggregator", "os"]
        text = "\n".join(status_lines([data | NOTHING_ELSE], None))
        assert "controlplane-1; controlplane-1 leads" in text
        assert (data["warnings"], "warnings" in text) == ([], False)
        assert f"{one.version} {KUBERNETES} /dev/sda ready" in " ".join(text.split())
        assert "1 of 1; applications run on them, too, as no worker is listed" in text
        site.change({"apps/arda/longhorn.yaml": LONGHORN})
        await daemon.follows.follower.refresh()
        trouble.append("api.arda.lab.home.arpa leads elsewhere")
        (report,) = await daemon.clusters.reports()
        data = cluster_data(report, daemon.context.fleet())
        told, *others = data["warnings"]
        assert told.startswith("apps/arda/longhorn.yaml: defaultClassReplicaCount is 3, and nodes that ")
        assert (others, data["state"]) == (trouble, "founded")
        assert told in "\n".join(status_lines([data | NOTHING_ELSE], None))
        await daemon.kill()  # its next look would find nobody, and say that it waits
        await one.power_cut()
        (report,) = await daemon.clusters.reports()
        data = cluster_data(report, daemon.context.fleet())
        assert data["state"] == "unhealthy"
        assert "cannot be reached" in data["machines"][0]["trouble"]


def test_a_cluster_that_waits_says_for_what() -> None:
    fleet = fleet_of(("arda-01", MAC, "role: worker\n"), arda=ARDA)
    data = cluster_data(ClusterReport("arda", None, Wait("it has no secrets yet"), {}), fleet)
    assert (data["state"], data["why"], data["founder"]) == ("waiting", "it has no secrets yet", None)
    assert not data["schedules_on_control_planes"]
    lines = list(status_lines([data | NOTHING_ELSE], None))
    assert lines[0] == "arda: waiting"
    assert lines[1].split(maxsplit=1) == ["why", "it has no secrets yet"]
    assert list(status_lines([], None)) == ["The fleet has no layer whose cluster the daemon founds."]
