"""Installs and removes the service; each step reports what it did and may be repeated."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.errors import InstallError, ServerError
from iluvatar_pxe.host.lock import lock_directory
from iluvatar_pxe.install import user
from iluvatar_pxe.install.checks import check_inside, check_no_link, check_unmasked, check_unmounted
from iluvatar_pxe.install.commands import run, succeeds
from iluvatar_pxe.install.contents import contents_of
from iluvatar_pxe.install.placing import UNCHANGED, give, make_directory, open_to, put, remove
from iluvatar_pxe.install.program import installed_program
from iluvatar_pxe.resources import data_directory

UNIT = "iluvatar-pxe.service"
_SOCKET = "iluvatar-pxe.socket"
_STATE = "var/lib/iluvatar-pxe"
_SETTINGS = "etc/iluvatar-pxe"
_SETTINGS_FILE = f"{_SETTINGS}/config.toml"
_SYSUSERS = "etc/sysusers.d/iluvatar-pxe.conf"
_UNITS = "etc/systemd/system"
_ENABLED = f"{_UNITS}/multi-user.target.wants/{UNIT}"
"""What ``systemctl enable`` makes of the unit's [Install]."""
_OF_CARD = ("iluvatar-pxe-node.path", "iluvatar-pxe-node.service")
"""Units that a seed card brings, which make its Pi a node as soon as the fleet says so: without a daemon, for ever in vain."""
_FILES_OF_CARD = tuple(
    f"{place}/{unit}" for unit in _OF_CARD for place in (f"{_UNITS}/multi-user.target.wants", _UNITS)
)
_TEMPLATES = {
    f"{_UNITS}/{UNIT}": UNIT,
    f"{_UNITS}/{_SOCKET}": _SOCKET,
    _SYSUSERS: "iluvatar-pxe.sysusers.conf",
    "etc/tmpfiles.d/iluvatar-pxe.conf": "iluvatar-pxe.tmpfiles.conf",
}
"""Where each file goes, and what it is called among the project's data."""
_COMMAND = "ExecStart=/usr/bin/iluvatar-pxe "
_RUNNING = Path("/run/systemd/system")
"""There when systemd is this host's service manager, see sd_booted(3)."""

Step = tuple[str, str]
"""The item, and what was done."""


class Installation(Struct, frozen=True):
    """The service on the system below ``root``: this host's, or an image's, where nothing is started."""

    root: Path = Path("/")

    def install(self) -> Iterator[Step]:
        """Install everything, and start the service where systemd runs; raises InstallError."""
        program = installed_program()
        self._check()
        check_no_link(self.root / _STATE)
        check_unmasked(self.root / _UNITS / UNIT)
        check_unmasked(self.root / _UNITS / _SOCKET)
        for place, template in _TEMPLATES.items():
            text = (data_directory("systemd") / template).read_text(encoding="utf-8")
            yield self._step(place, put(self.root / place, text.replace(_COMMAND, f"ExecStart={program} ")))
        home = f"/{_STATE}"
        yield f"user {user.NAME}", user.create(self.root, self.root / _SYSUSERS, home)
        yield from self._directories()
        yield UNIT, self._start(program)

    def uninstall(self, *, purge: bool) -> Iterator[Step]:
        """Stop the service and remove what ``install`` created; state and settings only with ``purge``.

        The user stays, for files that are its own may be anywhere; raises InstallError.
        """
        self._check()
        if purge:
            check_unmounted(self.root / place for place in (_SETTINGS, _STATE))
        yield from self._stop()
        if purge:
            self._check_unused()
        for place in (_ENABLED, *_TEMPLATES, *filter(self._is_there, _FILES_OF_CARD)):
            yield self._step(place, remove(self.root / place))
        for place in (_SETTINGS, _STATE):
            yield self._step(place, remove(self.root / place) if purge else "kept")
        if self._is_running:
            run("systemctl", "daemon-reload")

    def irreplaceable(self) -> Iterator[str]:
        """Yield what ``uninstall`` with ``purge`` removes and nobody can make again, a line each."""
        yield from contents_of(self.root / _STATE)
        for file in sorted(path for path in (self.root / _SETTINGS).rglob("*") if not path.is_dir()):
            yield f"{file}: {'the settings of this host' if file == self.root / _SETTINGS_FILE else 'a file of yours'}"

    def _directories(self) -> Iterator[Step]:
        ids = user.ids_of(self.root)
        if ids is None:
            raise InstallError(f"user {user.NAME}: no longer exists; try again")
        settings, state = self.root / _SETTINGS, self.root / _STATE
        done = [make_directory(settings), open_to(settings, *ids, 0o755)]
        yield self._step(_SETTINGS, _first_change(done))
        yield self._step(_SETTINGS_FILE, self._put_settings())
        done = [make_directory(state, 0o750), give(state, *ids), open_to(state, *ids, 0o750)]
        yield self._step(_STATE, _first_change(done))

    def _put_settings(self) -> str:
        file = self.root / _SETTINGS_FILE
        if file.is_symlink() and not file.exists():
            return f"skipped: symlink to {file.readlink()}, which does not exist"
        text = (data_directory("systemd") / file.name).read_text(encoding="utf-8")
        return UNCHANGED if file.exists() else put(file, text)

    def _start(self, program: Path) -> str:
        if shutil.which("systemctl"):
            root = () if self._is_running else (f"--root={self.root}",)
            run("systemctl", *root, "enable", UNIT)
        if not self._is_running:
            return "not started: systemd is not running"
        run("systemctl", "daemon-reload")
        if self._is_current(program):
            return UNCHANGED
        try:
            run("systemctl", "restart", UNIT)
        except InstallError as error:
            raise InstallError(
                f"{UNIT}: does not start; for the reason: journalctl -u {UNIT} -n 20"
            ) from error
        return "started"

    def _is_current(self, program: Path) -> bool:
        """Whether the service runs, and has been started since its files came: an ``install`` may have been killed."""
        if not succeeds("systemctl", "is-active", "--quiet", UNIT):
            return False
        began = run("systemctl", "show", "--property=ExecMainStartTimestampMonotonic", "--value", UNIT)
        files = (program, *(self.root / _UNITS / unit for unit in (UNIT, _SOCKET)))
        newest = max(file.stat().st_mtime for file in files) - (time.time() - time.monotonic())
        return int(began) / 1e6 > newest

    def _stop(self) -> Iterator[Step]:
        """Stop what runs, also where its unit's file is gone."""
        for unit in (*_OF_CARD, UNIT, _SOCKET) if self._is_running else ():
            if run("systemctl", "show", "--property=ActiveState", "--value", unit) != "inactive":
                run("systemctl", "stop", unit)
                yield unit, "stopped"

    def _check_unused(self) -> None:
        """Refuse while a daemon uses the state, such as one of ``make run``: it would go on with nothing below it."""
        state = self.root / _STATE
        try:
            if state.is_dir():
                lock_directory(state)
        except ServerError as error:
            raise InstallError(str(error)) from error

    def _check(self) -> None:
        others = (_ENABLED, _SETTINGS_FILE, f"{_STATE}/inventory.db", *_FILES_OF_CARD)
        check_inside(self.root, [self.root / place for place in (*_TEMPLATES, *others)])

    def _is_there(self, place: str) -> bool:
        return os.path.lexists(self.root / place)

    @property
    def _is_running(self) -> bool:
        return self.root == Path("/") and _RUNNING.is_dir()

    def _step(self, place: str, done: str) -> Step:
        return str(self.root / place), done


def _first_change(done: Sequence[str]) -> str:
    return next((one for one in done if one != UNCHANGED), UNCHANGED)
