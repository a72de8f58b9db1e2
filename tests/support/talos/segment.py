"""A segment with stand-ins for Talos machines, and real daemons that boot them."""

import json

from support.fleets import ARDA, INITRAMFS, KERNEL
from support.switched_on import STATION
from support.whole_segment import DOMAIN, MACHINES, WholeSegment

from iluvatar_pxe.lab.room.namespace import Namespace

PLANES = 3
SPEED = 20.0
FILES = {
    "fleet.yaml": f"domain: {DOMAIN}\nenrolment: {{mode: join, countdown: 1}}\nmaxAttempts: 1000\n"
    "rules: [{match: {product: Machine}, layer: arda}]\n",
}


class Segment(WholeSegment):
    """Machines are off at first, and daemons are not started."""

    def __init__(self, namespace: Namespace, machines: int, daemons: int, planes: int = PLANES) -> None:
        super().__init__(
            namespace,
            [f"52:54:00:77:03:{number:02x}" for number in range(machines)],
            daemons,
            FILES | {"layers/arda.yaml": f"{ARDA}controlPlanes: {planes}\n"},
            dict.fromkeys((KERNEL, INITRAMFS, "ipxe/snponly.efi"), b"boot file"),
            ["support.talos.alone", f"--speed={SPEED}", "--version=v1.13.9"],
        )

    def etcd_members(self) -> set[frozenset[str]]:
        """Return the names of the members as each control plane's own etcd lists them, with its certificate."""
        told = self.told()
        return {frozenset(self._members(mac)) for mac in self.macs if told[mac]["etcd"]}

    def _members(self, mac: str) -> list[str]:
        pki = MACHINES / mac.replace(":", "") / "sda-var" / "etcd-pki"
        files = [f"--cacert={pki}/ca", f"--cert={pki}/crt", f"--key={pki}/key"]
        words = [
            f"--endpoints=https://{self.address(mac)}:2379",
            *files,
            "member",
            "list",
            "--write-out=json",
        ]
        listed = self.namespace.run(["env", "ETCDCTL_API=3", "etcdctl", *words], network=STATION)
        return [member["name"] for member in json.loads(listed)["members"]]
