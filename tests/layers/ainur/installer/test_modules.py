import lzma

import zstandard

from iluvatar_pxe.layers.ainur.installer.modules import Files, load_order


def module(*depends: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(depends).encode() + b"\0name=x\0"


FILES: Files = {
    "kernel/net/virtio-net.ko.zst": lambda: zstandard.compress(module("net_failover", "virtio")),
    "kernel/net/net_failover.ko.xz": lambda: lzma.compress(module("failover")),
    "kernel/failover.ko": module,
    "kernel/virtio.ko": lambda: module("built_in"),
    "modules.dep.bin": lambda: b"",
    "kernel/unwanted.ko": lambda: b"never read",
}


def test_a_module_comes_once_unpacked_and_after_those_it_depends_on() -> None:
    order = load_order(FILES, ["virtio", "virtio_net", "not_there"])
    assert list(order) == ["virtio", "failover", "net_failover", "virtio_net"]
    assert order["virtio_net"] == module("net_failover", "virtio")
    assert order["net_failover"] == module("failover")
