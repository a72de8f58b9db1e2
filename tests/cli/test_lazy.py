"""A command loads what it needs, and no more: its own modules, and of other projects' only what it works with."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from support.daemon import Daemon, loopback_settings, write_settings
from typer.core import TyperGroup
from typer.main import get_command

from iluvatar_pxe.cli.lazy import LazyGroup, subcommands
from iluvatar_pxe.cli.main import app

HEAVY = (
    "aiohttp",
    "alembic",
    "cryptography",
    "google.protobuf",
    "grpclib",
    "iluvatar_pxe.admin.command",
    "iluvatar_pxe.fleet.models",
    "jinja2",
    "jsonschema",
    "rich",
    "ruamel.yaml",
    "sqlalchemy",
    "structlog",
)
"""Each takes a tenth of a second of a fast processor, or has much below it that does."""
LIGHT = (
    "--help",
    "--version",
    "nonesuch",
    "assets --help",
    "cluster --help",
    "fleet --help",
    "machines --help",
)
ANSWERED = (
    "assets status",
    "check",
    "cluster status",
    "dns query git.lab.home.arpa.",
    "enrol open 30m",
    "enrol status",
    "machines hold nobody",
    "machines list",
    "machines show 52:54:00:00:00:01",
    "network",
    "plan 52:54:00:00:00:01",
    "status",
)
"""What a daemon does for whoever asks."""
ALONE = (
    "enrol status",
    "machines list",
    "machines show 52:54:00:00:00:01",
    "plan 52:54:00:00:00:01",
    "status",
)
MOST = {"--help": 45, "machines list": 165}
"""Modules that a command may load besides Python's own, a few more than it does."""
_PROBE = f"""
import sys
from iluvatar_pxe.cli.main import main
try:
    main()
finally:
    others = [name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names]
    print(len(others), *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


def _loaded(words: str, *arguments: str) -> list[str]:
    """Run a command, and return what it loaded of HEAVY, and the number of its modules if they are too many."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *words.split(), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    number, *heavy = done.stderr.splitlines()[-1].split()
    return [*heavy, *([number] if int(number) > MOST.get(words, sys.maxsize) else [])]


@pytest.mark.parametrize("words", LIGHT)
def test_help_loads_no_command(words: str) -> None:
    assert _loaded(words) == []


def test_what_a_daemon_answers_loads_nothing_of_a_daemon(tmp_path: Path) -> None:
    with Daemon(tmp_path):
        loaded = {words: _loaded(words, "--config", str(tmp_path / "config.toml")) for words in ANSWERED}
    assert {words: names for words, names in loaded.items() if names} == {}


def test_without_a_daemon_nothing_is_loaded_for_colours(tmp_path: Path) -> None:
    write_settings(tmp_path / "config.toml", loopback_settings(tmp_path))
    loaded = {words: _loaded(words, "--config", str(tmp_path / "config.toml")) for words in ALONE}
    assert {words: "rich" in names for words, names in loaded.items()} == dict.fromkeys(ALONE, False)
    assert all("sqlalchemy" in names for names in loaded.values())


def test_the_tables_are_what_the_commands_say() -> None:
    listed = list(_lazy_commands(get_command(app), "iluvatar-pxe"))
    assert {"iluvatar-pxe serve", "iluvatar-pxe machines list"} <= {words for words, _, _ in listed}
    assert [(words, told) for words, told, _ in listed] == [(words, own) for words, _, own in listed]


def _lazy_commands(group: object, words: str) -> Iterator[tuple[str, str, str]]:
    """Yield each command that is loaded late, with what its group says of it and what it says itself."""
    assert isinstance(group, TyperGroup)
    for name, command in subcommands(group, typer.Context(group)):
        if isinstance(group, LazyGroup):
            own = " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())
            yield f"{words} {name}", group.commands[name].help or "", own
        if isinstance(command, TyperGroup):
            yield from _lazy_commands(command, f"{words} {name}")
