"""One boot in the lab, from a fleet of one machine to the stand-in's last word."""

from dataclasses import dataclass
from pathlib import Path

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.fleet.models import Talos
from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import Network
from iluvatar_pxe.lab.system.kernel import StandIn
from iluvatar_pxe.lab.system.stand_ins import add_talos
from iluvatar_pxe.lab.watch.attempt import watched

MAC = "52:54:00:77:00:01"

_POWER_OFF_SECONDS = 30.0
_TALOS = Talos(
    version="v1.13.9", schematic="376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A machine that the lab's fleet lists, to boot the stand-in."""

    mac: str
    config: bytes
    """Its machine config, served as it is."""
    name: str = "arda-01"

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the fleet that list it."""
        config = f"configs/{self.name}.yaml"
        text = f'match: {{macs: ["{self.mac}"]}}\nlayer: arda\nchain: talos\nconfig: {config}\n'
        return {f"machines/{self.name}.yaml": text.encode(), config: self.config}


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot that came as far as the stand-in's last word."""

    stages: dict[str, float]
    """Seconds from switching on, by stage; see ``stages.STAGES``."""
    command_line: str
    config_url: str
    config_sha256: str
    console: str


def offer_system(namespace: Namespace, server: Server, system: StandIn) -> None:
    """Let chain ``talos`` boot ``system``."""
    add_talos(namespace.outside(server.assets), _TALOS, system)
    layer = f"kind: talos\ntalos: {{version: {_TALOS.version}, schematic: {_TALOS.schematic}}}\n"
    server.write_fleet({"layers/arda.yaml": layer.encode()})


def start_daemon(network: Network, system: StandIn, machine: Listed, programs: Path | None = None) -> Process:
    """Start the daemon for a fleet of one machine that boots ``system``, and wait until it listens.

    ``programs`` is a directory of iPXE programs; None: those that this machine has installed. Raises LabError.
    """
    server = Server(network, programs)
    offer_system(network.namespace, server, system)
    server.write_fleet(machine.files)
    return server.start()


def boot(lab: Lab, kind: str) -> Boot:
    """Switch a machine with firmware ``kind`` on and wait until its config was fetched and it is off.

    Raises LabError, after ``BOOT_SECONDS`` at the latest, with the end of the serial console and of the log of everything
    that served it.
    """
    with watched(lab.network, kind, MAC) as machine:
        guest = machine.console
        try:
            last = guest.wait_for(r"^LAB (?:failed=|config-url=(\S+) sha256=(\S+))", BOOT_SECONDS)
            guest.wait(_POWER_OFF_SECONDS)
        except LabError as error:
            tails = (one.tail() for one in lab.namespace.processes if one is not guest)
            raise LabError("\n".join([str(error), *tails])) from error
    command_line = guest.wait_for(r"^LAB cmdline=(.*)$", 0)[1]
    return Boot(machine.stages, command_line, last[1] or "", last[2] or "", guest.output)
