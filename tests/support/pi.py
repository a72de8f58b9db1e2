"""Raspberry Pis as the facts about them say: no capture of one is at hand, so these messages are built."""

from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.wire.dhcp import BOOTREQUEST, DhcpMessage, MessageType, Option

ROM_XID = 0x26F30339
"""Of every Pi 3 that asks."""
SERIAL = "b66c4c16"
MACS = {
    Generation.PI3: "b8:27:eb:6c:4c:16",
    Generation.PI4: "dc:a6:32:00:00:04",
    Generation.PI5: "2c:cf:67:00:00:05",
}
REVISIONS = {Generation.PI4: 0xC03111, Generation.PI5: 0xC04170}
ROM_ID = b"\0" + b"\x44" * 16
LEGACY_ID = b"\0" + bytes.fromhex(SERIAL)[::-1] * 4


def eeprom_id(
    mac: str, revision: int, serial: str = SERIAL, fourcc: bytes = b"4iPR", order: str = "little"
) -> bytes:
    """Return option 97 of an EEPROM."""
    number = bytes.fromhex(serial)[:: -1 if order == "little" else 1]
    return b"\0" + fourcc + revision.to_bytes(4, "little") + bytes.fromhex(mac.replace(":", ""))[2:] + number


def pi_discover(mac: str, machine_id: bytes | None, arch: int = 0, xid: int = 0x5EED) -> DhcpMessage:
    """Return the DISCOVER of a Pi, with the options and in the order that all of them have."""
    wanted = bytes((1, 3, 43, 60, 66, 67, *range(128, 136)))
    options = [
        (Option.MESSAGE_TYPE, bytes((MessageType.DISCOVER,))),
        (55, wanted),
        (Option.CLIENT_ARCH, arch.to_bytes(2)),
        (94, b"\x01\x02\x01"),
        (Option.CLIENT_MACHINE_ID, machine_id),
        (Option.VENDOR_CLASS, b"PXEClient:Arch:%05d:UNDI:002001" % arch),
    ]
    return DhcpMessage(
        op=BOOTREQUEST,
        xid=xid,
        chaddr=bytes.fromhex(mac.replace(":", "")),
        options=tuple((int(code), value) for code, value in options if value is not None),
    )


def pi(generation: Generation) -> DhcpMessage:
    """Return the DISCOVER of a 3B's boot ROM, of a 4B or of a Pi 5."""
    mac = MACS[generation]
    if generation is Generation.PI3:
        return pi_discover(mac, ROM_ID, xid=ROM_XID)
    fourcc = b"5iPR" if generation is Generation.PI5 else b"4iPR"
    return pi_discover(mac, eeprom_id(mac, REVISIONS[generation], fourcc=fourcc))


IMAGE = (
    *("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat", "config.txt", "cmdline.txt"),
    *("vmlinuz", "initrd.img", "bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb"),
    *("overlays/overlay_map.dtb", "overlays/bcm2712d0.dtbo", "overlays/README", "README", "kernel7.img"),
    *("pieeprom.upd", "pieeprom.sig", "recovery.bin", "vl805.bin", "user-data", "boot.sig"),
)
"""What an image of Ubuntu has, and a few files that no Pi is to get."""
READY = frozenset(f"raspberry-pi/ubuntu/{file}" for file in IMAGE)
RULE = "rules: [{name: Pis, match: {firmware: raspberry-pi}, layer: ainur, role: agent}]\n"
LAYER = "image: ubuntu\n"
