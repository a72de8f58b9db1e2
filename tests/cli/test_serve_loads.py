"""What the daemon has loaded when it listens: memory that it keeps, and time that its start takes."""

import re
import sys

import pytest
from support.daemon import Daemon

WATCHED = [sys.executable, "-X", "importtime", "-m", "iluvatar_pxe"]
IMPORT = re.compile(r"import time: +\d+ \| +\d+ \| +(\S+)")
LATER = (
    "alembic",
    "apprise",
    "google.protobuf",
    "greenlet._greenlet",
    "grpclib",
    "h2",
    "iluvatar_pxe.admin.registry",
    "iluvatar_pxe.lab",
    "iluvatar_pxe.simulate",
    "iluvatar_pxe.web.site",
    "jsonschema",
    "prometheus_client",
    "pysequoia",
    "rich.console",
    "ruamel.yaml",
    "sqlalchemy.orm",
    "sushy",
    "typer",
)
"""Loaded when they are first needed, or by processes of their own."""
MOST_OF_OURS, MOST_OF_OTHERS = 760, 460
"""Modules, besides Python's own: a few more than there are."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    with Daemon(tmp_path_factory.mktemp("daemon"), command=WATCHED) as daemon:
        return {found[1] for line in daemon.errors if (found := IMPORT.match(line))}


@pytest.mark.parametrize("name", LATER)
def test_what_is_needed_later_is_not_loaded(loaded: set[str], name: str) -> None:
    assert "iluvatar_pxe.app.app" in loaded
    assert name not in loaded


def test_not_many_modules_are_loaded(loaded: set[str]) -> None:
    ours = [name for name in loaded if name.startswith("iluvatar_pxe")]
    others = [
        name for name in loaded if name.partition(".")[0] not in {*sys.stdlib_module_names, "iluvatar_pxe"}
    ]
    assert len(ours) <= MOST_OF_OURS
    assert len(others) <= MOST_OF_OTHERS, sorted(others)
