"""Which files a simulated Pi asks for, and in which order."""

from collections.abc import Mapping

import pytest

from iluvatar_pxe.errors import SimulateError
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.simulate.pi.config import PiConfig, read_config
from iluvatar_pxe.simulate.pi.files import FILES, Ask, Files, rom_files

MACHINES = {kind: Machine(kind, bytes.fromhex("dca632aabbcc")) for kind in FILES}
CONFIG = "arm_64bit=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\ncmdline=cmdline.txt\ndtoverlay=disable-bt\n"
OWN = {
    Kind.PI3: ("start.elf", "fixup.dat", "bcm2710-rpi-3-b.dtb"),
    Kind.PI4: ("start4.elf", "fixup4.dat", "bcm2711-rpi-4-b.dtb"),
    Kind.PI5: ("bcm2712-rpi-5-b.dtb",),
}
KERNELS = {Kind.PI3: "kernel8.img", Kind.PI4: "kernel8.img", Kind.PI5: "kernel_2712.img"}


def prefix(kind: Kind) -> str:
    return f"{MACHINES[kind].pi_serial:08x}/"


def files_of(kind: Kind, config: str = CONFIG, under: str = "") -> dict[str, str]:
    common = {"config.txt": config, "vmlinuz": "k", "initrd.img": "i", KERNELS[kind]: "k", "cmdline.txt": "c"}
    return {under + name: text for name, text in (common | dict.fromkeys(OWN[kind], "x")).items()}


def asked(files: Files, there: Mapping[str, str]) -> list[Ask]:
    """Play a TFTP server that has these files."""
    found: list[Ask] = []
    content: Content | None = None
    try:
        while True:
            ask = files.send(content) if found else next(files)
            found.append(ask)
            content = None
            if ask.name in there:
                content = Content()
                content.add(there[ask.name].encode())
    except StopIteration:
        return found


def names(asks: list[Ask]) -> list[str]:
    return [ask.name for ask in asks]


@pytest.mark.parametrize("kind", FILES)
def test_everything_is_asked_for_under_the_serial_number(kind: Kind) -> None:
    under = prefix(kind)
    all_asked = names(asked(FILES[kind](MACHINES[kind]), files_of(kind, under=under)))
    assert all(name.startswith(under) for name in all_asked)
    assert {
        under + name for name in (*OWN[kind], "config.txt", "vmlinuz", "initrd.img", "cmdline.txt")
    } <= set(all_asked)
    assert under + "overlays/disable-bt.dtbo" in all_asked
    assert all_asked[-1] == under + "vmlinuz"
    assert all_asked.count(under + "config.txt") >= 3


@pytest.mark.parametrize("kind", FILES)
def test_the_prefix_is_dropped_where_there_is_nothing_under_it(kind: Kind) -> None:
    all_asked = names(asked(FILES[kind](MACHINES[kind]), files_of(kind)))
    probed = [name for name in all_asked if name.startswith(prefix(kind))]
    expected = {Kind.PI3: ["start.elf"], Kind.PI4: ["start4.elf", "start.elf"], Kind.PI5: ["config.txt"]}
    assert probed == [prefix(kind) + name for name in expected[kind]]
    assert all_asked[: len(probed)] == probed
    assert all_asked[-1] == "vmlinuz"


@pytest.mark.parametrize("kind", FILES)
def test_without_a_config_the_models_own_kernel_is_found(kind: Kind) -> None:
    there = files_of(kind)
    del there["config.txt"]
    assert names(asked(FILES[kind](MACHINES[kind]), there))[-1] == KERNELS[kind]


@pytest.mark.parametrize("kind", [Kind.PI4, Kind.PI5])
@pytest.mark.parametrize("under", ["", "own"])
def test_a_disk_is_fetched_in_place_of_everything_else(kind: Kind, under: str) -> None:
    under = under and prefix(kind)
    there = {under + name: "x" for name in ("start4.elf", "boot.img", *OWN[kind])}
    asks = asked(FILES[kind](MACHINES[kind]), there | {under + "config.txt": "boot_ramdisk=1\n"})
    assert (asks[-1].name, asks[-1].stage) == (under + "boot.img", "boot.img")
    assert not any(name.endswith((".dtb", "cmdline.txt")) for name in names(asks))


def test_a_disk_that_is_not_there_is_named() -> None:
    with pytest.raises(SimulateError, match=r"boot\.img"):
        asked(FILES[Kind.PI5](MACHINES[Kind.PI5]), {"config.txt": "boot_ramdisk=1\n"})


@pytest.mark.parametrize("kind", FILES)
def test_a_pi_3_counts_no_further_than_65535_blocks(kind: Kind) -> None:
    asks = asked(FILES[kind](MACHINES[kind]), files_of(kind))
    assert {ask.manner.rolls_over for ask in asks} == {kind is not Kind.PI3}
    rom = asked(rom_files(MACHINES[Kind.PI3]), {"bootcode.bin": "b"})
    assert not any(ask.manner.rolls_over for ask in rom)


MISSING = [(kind, name) for kind in FILES for name in (*OWN[kind], "vmlinuz", "initrd.img")]


@pytest.mark.parametrize(("kind", "name"), MISSING)
def test_what_it_cannot_start_without_is_named(kind: Kind, name: str) -> None:
    there = files_of(kind)
    del there[name]
    with pytest.raises(SimulateError, match=rf"{name}.*; iluvatar-pxe assets status shows"):
        asked(FILES[kind](MACHINES[kind]), there)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, name in MISSING if not name.endswith(".dtb")]
)
@pytest.mark.parametrize(("text", "fault"), [("", "is empty"), ("<html>", "is a web page")])
def test_what_is_damaged_is_not_started(kind: Kind, name: str, text: str, fault: str) -> None:
    there = files_of(kind) | {name: text}
    with pytest.raises(SimulateError, match=f"it does not start with {name}, which {fault}"):
        asked(FILES[kind](MACHINES[kind]), there)


def test_the_order_of_a_pi_4() -> None:
    under = prefix(Kind.PI4)
    all_asked = [
        name.removeprefix(under)
        for name in names(asked(FILES[Kind.PI4](MACHINES[Kind.PI4]), files_of(Kind.PI4, under=under)))
    ]
    assert all_asked == [
        *(
            "start4.elf",
            "config.txt",
            "pieeprom.sig",
            "recover4.elf",
            "recovery.elf",
            "start4.elf",
            "fixup4.dat",
        ),
        *("config.txt", "dt-blob.bin", "config.txt", "bootcfg.txt", "initrd.img", "bcm2711-rpi-4-b.dtb"),
        *("overlays/overlay_map.dtb", "config.txt", "overlays/disable-bt.dtbo", "cmdline.txt"),
        *("armstub8-gic.bin", "vmlinuz"),
    ]


def test_probes_are_broken_off_and_other_files_are_not() -> None:
    asks = asked(FILES[Kind.PI4](MACHINES[Kind.PI4]), files_of(Kind.PI4, under=prefix(Kind.PI4)))
    assert [ask.manner.abort is not None for ask in asks] == [True] + [False] * (len(asks) - 1)
    assert all(ask.manner.options == (("tsize", "0"), ("blksize", "1468")) for ask in asks)


def test_a_pi_3s_rom_knows_no_options() -> None:
    asks = asked(rom_files(MACHINES[Kind.PI3]), {"bootcode.bin": "b"})
    assert [(ask.name, ask.manner.options) for ask in asks] == [("bootcode.bin", ()), ("bootsig.bin", ())]
    with pytest.raises(SimulateError, match=r"bootcode\.bin"):
        asked(rom_files(MACHINES[Kind.PI3]), {})


def test_an_update_of_the_eeprom_is_taken_where_it_is_offered() -> None:
    there = files_of(Kind.PI5) | {"pieeprom.sig": "s"}
    assert "pieeprom.upd" in names(asked(FILES[Kind.PI5](MACHINES[Kind.PI5]), there))
    assert "pieeprom.upd" not in names(asked(FILES[Kind.PI5](MACHINES[Kind.PI5]), files_of(Kind.PI5)))


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("", PiConfig()),
        ("kernel=a # comment\n[pi4]\nkernel=b\n[pi5]\nkernel=c\n[all]\ncmdline=d\n", PiConfig(kernel="b", cmdline="d")),
        ("os_prefix=current/\nkernel=k\ninitramfs i 0x1\n", PiConfig(kernel="current/k", initramfs="current/i", cmdline="current/cmdline.txt", os_prefix="current/")),
        ("dtoverlay=one,p=1\ndtoverlay=\ndtoverlay=two\n", PiConfig(overlays=("one", "two"))),
        ("auto_initramfs=1\n", PiConfig(auto_initramfs=True)),
        ("device_tree=x.dtb\nnonsense\n=\n", PiConfig(device_tree="x.dtb")),
    ],
)  # fmt: skip
def test_config_txt(text: str, config: PiConfig) -> None:
    assert read_config(text, Kind.PI4) == config


def test_the_initramfs_that_goes_with_a_kernel() -> None:
    assert PiConfig(auto_initramfs=True).initramfs_for("kernel_2712.img") == "initramfs_2712"
    assert PiConfig(auto_initramfs=True, os_prefix="a/").initramfs_for("a/kernel8.img") == "a/initramfs8"
    assert PiConfig().initramfs_for("kernel8.img") == ""
