"""Which daemon a command is about: the one whose settings were given, else the one that runs here."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from iluvatar_pxe.cli.options import settings_for
from iluvatar_pxe.cli.program import program_as_started
from iluvatar_pxe.cli.remote import chosen
from iluvatar_pxe.errors import ControlError
from iluvatar_pxe.host.daemons import DaemonProcess, running_daemons
from iluvatar_pxe.settings.model import (
    ENV_PREFIX,
    Settings,
    default_control_socket,
    default_state_directory,
    load_settings,
)

UNIT_PLACES = tuple(map(Path, ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")))
_UNIT = "iluvatar-pxe.service"
_OPTION = "--config"


def settings_of_daemon(config: Path | None) -> Settings:
    """Return the settings of the daemon that a command asks, or whose files it reads.

    They are those of this command if they name a state directory, or if it asks the daemon of another host; else those of the only daemon that runs here.
    Nothing is asked: systemd starts a service whose socket is connected to. Raises SettingsError, and ControlError if
    this user may not ask that daemon or the installed service: its fleet would be taken for an empty one.
    """
    settings = settings_for(config)
    if config or chosen() or settings.state.directory or "STATE_DIRECTORY" in os.environ:
        return settings
    daemons = list(running_daemons())
    found = [_settings_of(daemon, daemon.environ) for daemon in daemons if daemon.environ is not None]
    if any(one.control_socket == settings.control_socket for one in found):
        return settings
    if len(found) > 1:
        places = ", ".join(sorted(str(one.state_directory) for one in found))
        raise ControlError(
            f"{len(found)} daemons run here, with the state directories {places}; "
            f"name one: {ENV_PREFIX}STATE__DIRECTORY=DIRECTORY"
        )
    if found:
        return found[0]
    if os.geteuid() != 0:
        _check_none_of_others(daemons)
    return settings


def settings_to_reach_daemon(config: Path | None) -> Settings:
    """Return the settings by which the daemon is reached over the network, which any user may.

    They are those of ``settings_of_daemon``, or this command's own. Raises SettingsError.
    """
    try:
        return settings_of_daemon(config)
    except ControlError:
        return settings_for(config)


def _settings_of(daemon: DaemonProcess, environ: Mapping[str, str]) -> Settings:
    """Return what a daemon runs with; raises SettingsError if its file was damaged since."""
    settings = load_settings(_config_of(daemon), environ)
    is_root = daemon.uid == 0
    state = settings.state.directory or default_state_directory(environ, is_root=is_root)
    state = daemon.directory / state
    control = settings.control.socket or default_control_socket(environ, state, is_root=is_root)
    control = daemon.directory / control
    return settings.model_copy(
        update={
            "state": settings.state.model_copy(update={"directory": state}),
            "control": settings.control.model_copy(update={"socket": control}),
        }
    )


def _config_of(daemon: DaemonProcess) -> Path | None:
    words = iter(daemon.arguments)
    for word in words:
        option, separator, value = word.partition("=")
        if option == _OPTION:
            return daemon.directory / (value if separator else next(words, ""))
    return None


def _check_none_of_others(daemons: list[DaemonProcess]) -> None:
    if daemons:
        raise ControlError(f"another user's daemon runs here (process {daemons[0].pid}); try: {_with_sudo()}")
    if unit := next((place / _UNIT for place in UNIT_PLACES if (place / _UNIT).exists()), None):
        raise ControlError(
            f"{unit}: the service is installed here, and only root may ask it; try: {_with_sudo()}"
        )


def _with_sudo() -> str:
    return shlex.join(["sudo", program_as_started(), *sys.argv[1:]])
