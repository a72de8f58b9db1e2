"""A cluster whose machines have the files that the daemon makes for them, laid out as a machine lays them out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.ainur import BEGIN, node_of
from support.k3s.machine import Machine
from support.k3s.site import Site
from support.secrets_of import k3s_bundle_of
from support.talos.site import loopback_addresses

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.layers.ainur.k3s_files import public_files, secret_files
from iluvatar_pxe.layers.ainur.node import K3sCluster
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.machines.states import Role


@dataclass
class RenderedCluster:
    """Machines of one cluster, below a directory; ``secrets`` names whose secrets they are."""

    directory: Path
    secrets: str = "ainur"
    site: Site = field(default_factory=lambda: Site(is_probed=True))
    machines: dict[str, Machine] = field(default_factory=dict)
    _addresses: Iterator[str] = field(default_factory=loopback_addresses)

    def __post_init__(self) -> None:
        bundle = k3s_bundle_of(self.secrets, BEGIN)
        self.cluster = K3sCluster(name="ainur", domain="lab.home.arpa", k3s=K3s(), bundle=bundle)

    def machine(self, name: str, part: K3sPart) -> Machine:
        """Return a machine, off, that was told its part."""
        machine = Machine(self.site, self.directory / name, next(self._addresses))
        self.machines[name] = machine
        if part is not K3sPart.AGENT:
            self.site.names.setdefault(self.cluster.api, []).append(machine.address)
        self.install(name, part)
        return machine

    def install(self, name: str, part: K3sPart) -> None:
        """Write a machine's files, as cloud-init and the swap of its ticket do; what stays is not overwritten."""
        root = self.machines[name].root
        node = node_of(name, Role.AGENT if part is K3sPart.AGENT else Role.SERVER)
        files = {**public_files(self.cluster, node), **secret_files(self.cluster, node, part)}
        lay(root, {"/etc/hostname": NodeFile(f"{name}\n"), **files})

    async def end(self) -> None:
        """Take the power of all."""
        for machine in self.machines.values():
            await machine.power_cut()


def lay(root: Path, files: Mapping[str, NodeFile]) -> None:
    """Write files below ``root``."""
    for path, file in files.items():
        place = root / path.lstrip("/")
        if file.stays and place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text)
        place.chmod(file.mode)
