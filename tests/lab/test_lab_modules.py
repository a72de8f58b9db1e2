import lzma
from pathlib import Path

import pytest

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.system.modules import load_order


def module(*depends: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(depends).encode() + b"\0name=x\0"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "virtio-net.ko").write_bytes(module("net_failover", "virtio"))
    (tmp_path / "net" / "net_failover.ko.xz").write_bytes(lzma.compress(module("failover")))
    (tmp_path / "failover.ko").write_bytes(module())
    (tmp_path / "virtio.ko").write_bytes(module("built_in"))
    (tmp_path / "unwanted.ko").write_bytes(module())
    return tmp_path


def test_a_module_comes_after_those_it_depends_on(tree: Path) -> None:
    assert list(load_order(tree, "virtio_net")) == ["failover", "net_failover", "virtio", "virtio_net"]


def test_a_module_that_several_need_comes_once_and_unpacked(tree: Path) -> None:
    order = load_order(tree, "virtio", "virtio_net")
    assert list(order) == ["virtio", "failover", "net_failover", "virtio_net"]
    assert order["net_failover"] == module("failover")


def test_a_wanted_module_that_is_missing_is_named(tree: Path) -> None:
    with pytest.raises(LabError, match="no module e1000"):
        load_order(tree, "e1000")


def test_a_wanted_module_that_is_built_in_is_not_loaded(tree: Path) -> None:
    (tree / "modules.builtin").write_text("kernel/drivers/virtio/virtio-pci.ko\n")
    assert list(load_order(tree, "virtio_pci", "failover")) == ["failover"]


def test_modules_that_need_each_other_do_not_go_on_for_ever(tree: Path) -> None:
    (tree / "failover.ko").write_bytes(module("net_failover"))
    assert set(load_order(tree, "virtio_net")) == {"failover", "net_failover", "virtio", "virtio_net"}
