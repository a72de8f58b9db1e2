"""Our daemon as the lab's server, and the files that it serves there."""

import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import iluvatar_pxe
from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, ROUTER_ADDRESS, SERVER_ADDRESS, Network
from iluvatar_pxe.lab.system.ipxe import PROGRAMS
from iluvatar_pxe.lab.system.stand_ins import add_programs
from iluvatar_pxe.settings.model import ENV_PREFIX

STATE = DIRECTORY / "state"
"""The daemon's state directory, as programs inside the lab see it."""
SETTINGS = DIRECTORY / "config.toml"
"""The daemon's settings, as programs inside the lab see them."""
LOG = DIRECTORY / "daemon.log"
"""What the daemon prints: JSON, one object in a line."""

STATION = "server"
"""The daemon's network."""
_FLEET = DIRECTORY / "fleet"
_ASSETS = DIRECTORY / "assets"
_HOST_ASSETS = DIRECTORY / "host-assets"
"""The host's boot files, by a name without the commas and colons that separate mount's options."""
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.05
_ANSWER = re.compile(rb'"event": "fleet\.(applied|rejected)"')


class Server:
    """The station that serves: its files, and our daemon, which may end and be started again."""

    def __init__(self, network: Network, programs: Path | None = None, *, fetch: bool = False) -> None:
        """Attach it with a fleet that lists nothing.

        ``programs`` is a directory of iPXE programs; None: those that this machine has installed. ``fetch``: boot files
        are downloaded, as far as the lab's network has them.
        """
        self._namespace = network.namespace
        self._station = network.add_station(STATION, SERVER_ADDRESS)
        self._namespace.outside(SETTINGS).write_text(_settings(fetch=fetch), encoding="utf-8")
        self.assets = _ASSETS
        """Where boot files lie, as programs inside the lab see it."""
        self.fleet = _FLEET
        self._assets = self._namespace.outside(_ASSETS)
        self._assets.mkdir()
        self.write_fleet({"fleet.yaml": b"domain: lab.home.arpa\n"})
        if programs is not None:
            add_programs(self._assets, programs, PROGRAMS)

    def write_fleet(self, files: Mapping[str, bytes]) -> None:
        """Write files of the fleet; a daemon that runs reads them at ``reload``."""
        fleet = self._namespace.outside(_FLEET)
        for name, content in files.items():
            (fleet / name).parent.mkdir(parents=True, exist_ok=True)
            (fleet / name).write_bytes(content)

    def mount(self, fleet: Path, assets: Path, stand_ins: Path) -> None:
        """Serve a fleet and boot files of the host, read only; raises LabError.

        ``stand_ins`` is a directory of boot files that come before those in ``assets``.
        """
        self._namespace.outside(_HOST_ASSETS).mkdir()
        for command in (
            ["mount", "--bind", str(fleet), str(_FLEET)],
            ["mount", "-o", "remount,bind,ro", str(_FLEET)],
            ["mount", "--bind", str(assets), str(_HOST_ASSETS)],
            ["mount", "-t", "overlay", "-o", f"lowerdir={stand_ins}:{_HOST_ASSETS}", "assets", str(_ASSETS)],
        ):
            self._namespace.run(command)

    def start(self) -> Process:
        """Start the daemon and wait until it listens; raises LabError."""
        daemon = self._namespace.start(
            LOG.stem, _command("serve"), network=self._station, environment=_environment()
        )
        daemon.wait_for(r'"event": "listening"', _READY_SECONDS)
        return daemon


def reload(namespace: Namespace, daemon: int) -> None:
    """Have the daemon, a process id, read its fleet again; returns when it has; raises LabError when it refuses."""
    log = namespace.outside(LOG)
    deadline = time.monotonic() + _READY_SECONDS
    try:
        before = log.stat().st_size
        os.kill(daemon, signal.SIGHUP)
        while not (answer := _ANSWER.search(log.read_bytes(), before)):
            if time.monotonic() > deadline:
                raise LabError(
                    "the lab's daemon does not reload its fleet; start over with: iluvatar-pxe lab down"
                )
            time.sleep(_POLL_SECONDS)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise LabError("the lab has ended; to start it again: iluvatar-pxe lab up") from error
    if answer[1] == b"rejected":
        raise LabError("the fleet has errors; to see them: iluvatar-pxe fleet validate")


def ask(namespace: Namespace, *arguments: str) -> str:
    """Run a command of ours beside the daemon, and return what it printed; raises LabError."""
    return namespace.run(_command(*arguments), network=STATION, environment=_environment())


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "iluvatar_pxe", *arguments, "--config", str(SETTINGS)]


def _environment() -> dict[str, str]:
    """Return the environment for our own programs, without this host's settings."""
    package = Path(iluvatar_pxe.__file__).parent.parent
    rest = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    return {**rest, "PYTHONPATH": str(package), "PYTHONUNBUFFERED": "1"}


def _settings(*, fetch: bool) -> str:
    return (
        f'[network]\ninterfaces = ["{INTERFACE}"]\n'
        f'[dns]\nupstream = ["{ROUTER_ADDRESS}"]\n'  # "auto" would be the host's
        f'[state]\ndirectory = "{STATE}"\n'
        f'[control]\nsocket = "{DIRECTORY}/control.sock"\n'
        f'[assets]\ndirectory = "{_ASSETS}"\nfetch = {str(fetch).lower()}\n'
        f'[fleet]\nsource = "{_FLEET}"\n'
        "[simulate]\nas_real = true\n"
        '[log]\nformat = "json"\n'
    )
