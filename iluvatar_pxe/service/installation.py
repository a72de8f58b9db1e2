"""What belongs to the service, put in place and taken away: each step says what it did, and may be repeated."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.resources import data_directory
from iluvatar_pxe.service import user
from iluvatar_pxe.service.commands import run, succeeds
from iluvatar_pxe.service.placing import UNCHANGED, give, make_directory, put, remove
from iluvatar_pxe.service.program import installed_program

UNIT = "iluvatar-pxe.service"
_SOCKET = "iluvatar-pxe.socket"
_STATE = "var/lib/iluvatar-pxe"
_SETTINGS = "etc/iluvatar-pxe"
_SETTINGS_FILE = f"{_SETTINGS}/config.toml"
_SYSUSERS = "etc/sysusers.d/iluvatar-pxe.conf"
_TEMPLATES = {
    f"etc/systemd/system/{UNIT}": UNIT,
    f"etc/systemd/system/{_SOCKET}": _SOCKET,
    _SYSUSERS: "iluvatar-pxe.sysusers.conf",
    "etc/tmpfiles.d/iluvatar-pxe.conf": "iluvatar-pxe.tmpfiles.conf",
}
"""Where each file goes, and what it is called among the project's data."""
_COMMAND = "ExecStart=/usr/bin/iluvatar-pxe "
_RUNNING = Path("/run/systemd/system")
"""There when systemd is this host's service manager, see sd_booted(3)."""

Step = tuple[str, str]
"""What was seen to, and what was done."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The service on the system below ``root``: this host's, or an image's, where nothing is started."""

    root: Path = Path("/")

    def install(self) -> Iterator[Step]:
        """Put everything in place, and start the service where systemd runs; raises InstallError."""
        program = installed_program()
        changed = False
        for place, template in _TEMPLATES.items():
            text = (data_directory("systemd") / template).read_text(encoding="utf-8")
            done = put(self.root / place, text.replace(_COMMAND, f"ExecStart={program} "))
            changed |= done != UNCHANGED
            yield self._step(place, done)
        home = f"/{_STATE}"
        yield f"user {user.NAME}", user.create(self.root, self.root / _SYSUSERS, home)
        yield from self._directories()
        yield UNIT, self._start(changed=changed)

    def uninstall(self, *, purge: bool) -> Iterator[Step]:
        """Stop the service and take away what ``install`` put there; state and settings only with ``purge``.

        The user stays, for files that are its own may be anywhere; raises InstallError.
        """
        yield from self._stop()
        for place in _TEMPLATES:
            yield self._step(place, remove(self.root / place))
        for place in (_SETTINGS, _STATE):
            yield self._step(place, remove(self.root / place) if purge else "kept")
        if self._is_running:
            run("systemctl", "daemon-reload")

    def _directories(self) -> Iterator[Step]:
        ids = user.ids_of(self.root)
        if ids is None:
            raise InstallError(f"user {user.NAME}: is gone; try again")
        settings = self.root / _SETTINGS_FILE
        text = (data_directory("systemd") / settings.name).read_text(encoding="utf-8")
        yield self._step(_SETTINGS_FILE, UNCHANGED if settings.exists() else put(settings, text))
        made = make_directory(self.root / _STATE, 0o750)
        given = give(self.root / _STATE, *ids)
        yield self._step(_STATE, given if made == UNCHANGED else made)

    def _start(self, *, changed: bool) -> str:
        if shutil.which("systemctl"):
            root = () if self._is_running else (f"--root={self.root}",)
            run("systemctl", *root, "enable", UNIT)
        if not self._is_running:
            return "not started, for systemd does not run here"
        run("systemctl", "daemon-reload")
        if not changed and succeeds("systemctl", "is-active", "--quiet", UNIT):
            return UNCHANGED
        try:
            run("systemctl", "restart", UNIT)
        except InstallError as error:
            raise InstallError(f"{UNIT}: does not start; see why: journalctl -u {UNIT} -n 20") from error
        return "started"

    def _stop(self) -> Iterator[Step]:
        if not shutil.which("systemctl") or not (self.root / f"etc/systemd/system/{UNIT}").exists():
            return
        if self._is_running:
            run("systemctl", "disable", "--now", UNIT, _SOCKET)
            yield UNIT, "stopped"
        else:
            run("systemctl", f"--root={self.root}", "disable", UNIT)

    @property
    def _is_running(self) -> bool:
        return self.root == Path("/") and _RUNNING.is_dir()

    def _step(self, place: str, done: str) -> Step:
        return str(self.root / place), done
