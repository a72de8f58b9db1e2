"""The stand-in boots, installs, founds a real etcd, joins and leaves it, and forgets what Talos forgets."""

from support.talos.cluster import Cluster
from support.waiting import until

from iluvatar_pxe.machines.states import Role


async def test_a_control_plane_installs_reboots_and_waits_to_be_founded(cluster: Cluster) -> None:
    machine = cluster.machine(1, Role.CONTROLPLANE)
    await machine.power_on()
    await until(lambda: machine.service("etcd") == "Preparing")
    assert machine.hardware.system_disk is machine.hardware.disks[0]
    assert len(machine.boots) == 2
    assert machine.failures == []
