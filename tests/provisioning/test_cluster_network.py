"""What this network keeps a cluster from, asked of real neighbours; and that nothing is founded against it."""

import os
from pathlib import Path

import pytest
from support.founding import founding_site
from support.segment import HERE, NEIGHBOUR, segment
from support.waiting import until

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.founding import Founded, Refuse

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

CHECK = f"""
import asyncio, os
from ipaddress import IPv4Address
from support.fleets import ARDA, fleet_of
from support.interfaces import read_interface
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.cluster_network import ClusterNetwork
here = read_interface("eth0")
ROUTER = None
async def around(_):
    router = ROUTER and IPv4Address(ROUTER)
    return Surroundings(here=here.address, network=here.network, router=router)
def network(vip, *machines):
    fleet = fleet_of(*machines, arda=ARDA + f"vip: {{vip}}\\n" if vip else ARDA)
    return ClusterNetwork(
        applied=Applied(fleet), snapshot=Snapshot, interfaces=lambda: [here], around=around
    )
def check(made):
    try:
        asyncio.run(made.check("arda"))
        print("free")
    except ConfigurationError as error:
        print(error)
NEIGHBOUR = "{NEIGHBOUR}"
"""


@needs_root
def test_a_vip_that_somebody_else_has_is_refused_and_one_of_its_control_planes_is_not() -> None:
    with segment() as here:
        stranger, own, free, none, ours, elsewhere = here.said_by(f"""{CHECK}
check(network(NEIGHBOUR))
check(network(NEIGHBOUR, ("arda-01", "{here.mac}", "role: controlplane")))
check(network("10.77.0.60"))
check(network(None))
check(network("{HERE}"))
check(network("192.0.2.9"))
""")
        assert f"vip {NEIGHBOUR} is in use: {here.mac}, which is no machine of arda, answers" in stranger
    assert (own, free, none) == ("free", "free", "free")
    assert ours == f"layers/arda.yaml: vip {HERE} is a boot server's address; choose a free one"
    assert "vip 192.0.2.9 is no address of 10.77.0.0/24" in elsewhere


@needs_root
def test_without_the_right_to_ask_it_says_so_once() -> None:
    with segment() as here:
        said = here.said_by(f"""{CHECK}
os.seteuid(65534)
made = network(NEIGHBOUR)
check(made)
made._probed.pop((IPv4Address(NEIGHBOUR), "eth0"))
check(made)
""")
    lines = [line for line in said if "cluster.not-probed" in line]
    assert said.count("free") == 2
    assert len(lines) == 1
    assert "CAP_NET_RAW" in lines[0]


@needs_root
def test_the_api_s_name_has_to_lead_to_a_control_plane_by_whoever_answers_machines_first() -> None:
    plane = f'network(None, ("arda-01", "02:00:00:00:00:01", "role: controlplane\\naddress: {NEIGHBOUR}\\n"))'
    with segment() as here:
        (silent,) = here.said_by(f"{CHECK}check({plane})")
        here.resolver("neighbour", NEIGHBOUR)
        (by_router,) = here.said_by(f"{CHECK}ROUTER = NEIGHBOUR\ncheck({plane})")
        here.resolver("here", "10.77.0.77")
        (misled,) = here.said_by(f"{CHECK}ROUTER = NEIGHBOUR\ncheck({plane})")
        (too_early,) = here.said_by(f"{CHECK}check(network(None))")
    find = "layers/arda.yaml: machines find the cluster by api.arda.lab.home.arpa, and"
    assert silent.startswith(f"{find} none of their resolvers answers: {HERE}; have this daemon answer DNS")
    assert misled.startswith(
        f"{find} {HERE} says that it has 10.77.0.77, which is none of its control planes;"
    )
    assert (by_router, too_early) == ("free", "free")


async def test_nothing_is_founded_before_it_is_possible_here_and_all_machines_show_why(
    tmp_path: Path,
) -> None:
    trouble = ["layers/arda.yaml: vip 127.0.0.60 is in use"]

    async def check(_layer: str) -> None:
        if trouble:
            raise ConfigurationError(trouble[0])

    async with founding_site(tmp_path, planes=1, check=check) as site:
        (daemon,), (machine,) = site.daemons, site.planes
        daemon.start()
        await machine.power_on()
        await until(lambda: isinstance(daemon.step, Refuse))
        assert daemon.clusters.awaited == {"controlplane-1": f"arda: {trouble[0]}"}
        assert daemon.clusters.problem == f"arda: {trouble[0]}"
        assert "founder:" not in site.record()
        (report,) = await daemon.clusters.reports()
        assert report.step == Refuse(trouble[0])
        trouble.clear()
        await until(lambda: isinstance(daemon.step, Founded))
