"""What a daemon knows of its network: the ports that its settings name are those that configurations name."""

from ipaddress import IPv4Address

from support.clusters import DISK
from support.fleets import fleet_of
from support.interfaces import read_interface

from iluvatar_pxe.admin.next_boots import surroundings
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings, machine_facts
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.around import Around
from iluvatar_pxe.settings.model import NetworkSettings, Settings, TalosSettings

SETTINGS = Settings(
    network=NetworkSettings(interfaces=("lo",)), talos=TalosSettings(event_port=4333, kernel_log_port=4334)
)
FLEET = fleet_of()
LOOPBACK = IPv4Address("127.0.0.1")


def reports_to(around: Surroundings) -> tuple[str, str]:
    node = Node(name="one", layer="arda", role=Role.WORKER, macs=("52:54:00:77:00:01",), disk=DISK)
    facts = machine_facts(node, FLEET, around)
    return facts.event_sink, facts.kernel_log


async def test_machines_are_told_the_ports_that_the_settings_name_and_plan_shows_them() -> None:
    around = Around(
        applied=Applied(FLEET),
        interfaces=lambda: [read_interface("lo")],
        daemons=list,
        ports=SETTINGS.talos,
    )
    told = ("127.0.0.1:4333", "tcp://127.0.0.1:4334")
    assert reports_to(await around.of(LOOPBACK)) == told
    assert reports_to(surroundings(LOOPBACK, (read_interface("lo"),), FLEET, SETTINGS.talos)) == told
