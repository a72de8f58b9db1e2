"""What ``iluvatar-pxe serve`` runs: the daemon."""

import asyncio
import os
import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from iluvatar_pxe.app.app import App
from iluvatar_pxe.catalogue.download import Download, Unpack
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.cli.intentions import intentions
from iluvatar_pxe.cli.program import program_as_started
from iluvatar_pxe.cli.tables import say, table, terminal_width
from iluvatar_pxe.errors import LoginError
from iluvatar_pxe.gitops.secrets.first_keys import FirstKeys
from iluvatar_pxe.host.console import is_shown_once
from iluvatar_pxe.host.garbage import suspend_garbage
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.log import configure_logging, is_console
from iluvatar_pxe.servers.listeners import sockets_of
from iluvatar_pxe.settings.model import Settings, load_settings
from iluvatar_pxe.spans import span

THREAD_GRACE = 1.0
"""Seconds that a thread gets to end its last read of a file."""

SWITCH_SECONDS = 0.0001
"""For how long a thread that computes, such as the recorder's, keeps the event loop from answering: Python's own is 5 ms.

Each system call for an answer may cost that: whoever makes one lets go of the interpreter's lock.
"""

DESCRIPTORS = 8192
"""Open at once: a connection or a transfer each. Many systems allow a process 1024 unless it asks for more."""

_log = structlog.get_logger()


def run_daemon(config: Path | None) -> None:
    """Serve until stopped, with the settings in ``config``."""
    settings = load_settings(config, os.environ)
    configure_logging(settings.log.level, settings.log.format)
    sys.setswitchinterval(SWITCH_SECONDS)
    allow_descriptors()
    forbid_core_dumps()
    suspend_garbage()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    threads = ThreadPoolExecutor(thread_name_prefix="files")
    asyncio.get_running_loop().set_default_executor(threads)
    app = await App.build(settings)
    await app.serve(partial(foretell, app), partial(announce, app), show)
    leave(threads)


def allow_descriptors() -> None:
    """Have up to ``DESCRIPTORS`` open, or as many as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < DESCRIPTORS:  # -1: no limit
        wanted = DESCRIPTORS if hard < 0 else min(hard, DESCRIPTORS)
        with suppress(OSError):  # forbidden, as under the unit, which has set the limit itself
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def forbid_core_dumps() -> None:
    """Leave nothing of this process, or of the git that it runs, on a disk: its memory holds keys and configurations."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def leave(threads: ThreadPoolExecutor) -> None:
    """End the process at once where a thread does not end: everything is saved, and it may hang in a dead disk."""
    waiting = threading.Thread(target=threads.shutdown, daemon=True)
    waiting.start()
    waiting.join(THREAD_GRACE)
    if waiting.is_alive():
        _log.warning("left", why="a file was still being read")
        os._exit(0)


def show(keys: FirstKeys) -> None:
    """Print the keys that are shown only once."""
    if lines := keys.lines():
        say(lines)
        sys.stdout.flush()


def foretell(app: App, interfaces: Sequence[Interface]) -> None:
    """Say what this daemon is going to do on a network: on a console to people, else to the log."""
    settings, window = app.parts.settings, app.parts.inventory.window
    lines = intentions(settings.network.dhcp, interfaces, app.parts.applied.fleet, window.remaining)
    if is_console(settings.log.format):
        say((*lines, ""))
        sys.stdout.flush()
    else:
        _log.info("intentions", says=" ".join(map(str.strip, lines)))


def announce(app: App) -> None:
    """Log whether machines may join, and show people what listens where, and how to set the web page's password."""
    window = app.parts.inventory.window
    if window.is_open:
        _log.info("enrolment.open", seconds=round(window.remaining), by=window.opened_by)
    for line in app.parts.prospects.lines:
        _log.warning("boot.lacking", problem=line)
    if is_console(app.parts.settings.log.format):
        say(["", "iluvatar-pxe listens:", "", *_listening(app), "", *_next_step(app).splitlines()])
    if is_shown_once():
        say(_first_login(app))
    sys.stdout.flush()


def _first_login(app: App) -> Iterator[str]:
    """Make the token by which the web page's first password is set, and say where."""
    try:
        if app.parts.site.logins.has_password:
            return
    except LoginError as error:
        _log.error("web.login", why=str(error))
        return
    token = app.parts.site.first_run.open()
    base = f"https://{_address(app)}:{app.parts.settings.http.tls_port}"
    yield from ("", "To change something on the web page, set its password there, with this token:", "")
    yield from (f"  {base}/login?token={token}", "")


_HEADINGS = (("interface",), ("proxyDHCP", "DNS"), ("TFTP", "Talos", "NTP"), ("HTTP", "HTTPS"))


def _listening(app: App) -> Iterator[str]:
    rows = []
    for interface in app.parts.watch.interfaces:
        name, dhcp, dns, tftp, http, https, talos, ntp = sockets_of(app.parts.settings, interface).values()
        rows.append(((name,), (dhcp, dns), (tftp, talos, ntp), (http, https)))
    return table(_HEADINGS, rows, terminal_width(), ())


def _next_step(app: App) -> str:
    programs = app.parts.programs()
    lines = [f"iPXE for {kind}: {program}" for kind, program in programs.items()]
    lines += [
        f"Git and API (TLS): {_secure(app)}",
        f"Fleet: {app.parts.settings.fleet_place} ({len(app.parts.applied.fleet.names)} machines listed)",
        f"Boot files: {app.parts.settings.assets_directory}; {_boot_files(app)}",
        f"Enrolment: {_enrolment(app)}",
        "",
        f"Next: boot a machine from the network (PXE or UEFI HTTP Boot); {_who_tells(app)}.",
        f"To watch it: http://{_address(app)}:{app.parts.settings.http.port}/",
        f"Or ask: curl http://{_address(app)}:{app.parts.settings.http.port}/readyz",
    ]
    return "\n".join(lines)


def _boot_files(app: App) -> str:
    """Say which boot files are missing, and how they come."""
    wanted = app.parts.supply.fetcher.wanted.values()
    missing = [one.download for one in wanted if one.progress.state is not State.READY]
    if not missing:
        return "all that the fleet wants are here"
    what = ", ".join(dict.fromkeys(map(_title, missing)))
    fetch = app.parts.settings.assets.fetch
    comes = "being downloaded; without internet" if fetch else "[assets] fetch is false; to bring them"
    return f"missing: {what} ({comes}: {program_as_started()} assets import PATH)"


def _title(download: Download) -> str:
    """Return what people call a download: an image by its own name, which has the version in it."""
    if download.unpack is Unpack.PI_IMAGE:
        return download.folder.rpartition("/")[2]
    return f"{download.name.partition('/')[0]} {download.version}"


def _who_tells(app: App) -> str:
    observes = app.parts.settings.network.dhcp == "observe"
    return "the log says what it would get" if observes else "its screen says what to do"


def _address(app: App) -> str:
    return next((str(one.address) for one in app.parts.watch.interfaces), "127.0.0.1")


def _secure(app: App) -> str:
    base = f"https://{_address(app)}:{app.parts.settings.http.tls_port}"
    authority = app.parts.http.certificates.authority
    if authority is None and (problem := app.parts.http.certificates.problem):
        return f"{base}, with a certificate that nobody trusts: {problem}"
    if authority is None:
        return f"{base}, with the certificate of [http] tls_certificate"
    return f"{base}; its CA: http://{_address(app)}:{app.parts.settings.http.port}/ca.crt, SHA-256 {authority.fingerprint}"


def _enrolment(app: App) -> str:
    remaining = app.parts.inventory.window.remaining
    if remaining:
        return f"open for {span(round(remaining))} more; to close it: iluvatar-pxe enrol close"
    return "closed; to open it: iluvatar-pxe enrol open 30m"
