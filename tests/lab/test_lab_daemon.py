"""The lab's daemon: what it serves of the host, and its fleet read anew."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.daemon import Server, reload
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import Network


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    with Namespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def server(namespace: Namespace) -> Server:
    return Server(Network(namespace))


def test_a_fleet_that_has_a_fault_by_now_is_not_taken(namespace: Namespace, server: Server) -> None:
    daemon = server.start()
    reload(namespace, daemon.pid)
    server.write_fleet({"fleet.yaml": b"colour: red\n"})
    with pytest.raises(LabError, match="the fleet has errors"):
        reload(namespace, daemon.pid)
    assert daemon.stop() == 0
    with pytest.raises(LabError, match="the lab has ended"):
        reload(namespace, daemon.pid)


def test_boot_files_come_from_a_directory_of_any_name(
    namespace: Namespace, server: Server, tmp_path: Path
) -> None:
    assets, stand_ins = tmp_path / 'a\\b, c:d"e', DIRECTORY / "stand-ins"
    assets.mkdir()
    (assets / "own").write_text("own")
    namespace.outside(stand_ins).mkdir()
    server.mount(tmp_path, assets, stand_ins)
    assert namespace.run(["cat", str(server.assets / "own")]) == "own"
