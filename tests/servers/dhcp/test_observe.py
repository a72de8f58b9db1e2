"""``[network] dhcp = "observe"``: the real daemon records who boots, says what it would do, and sends nothing."""

import socket
from pathlib import Path

from support.daemon import Daemon
from support.proxy import MAC, discover

from iluvatar_pxe.wire.dhcp import encode

QUIET_SECONDS = 0.5


def test_machines_are_recorded_and_get_no_answer(tmp_path: Path) -> None:
    programs = tmp_path / "state" / "assets" / "ipxe"
    programs.mkdir(parents=True)
    (programs / "snponly.efi").write_bytes(b"program")
    for mode in ("observe", "proxy"):
        with Daemon(tmp_path, {"network": {"dhcp": mode}}) as daemon:
            said = daemon.wait_for_log("intentions")["says"]
            assert ("no machine gets an answer" in said) == (mode == "observe")
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.bind(("127.0.0.1", 0))
                client.settimeout(QUIET_SECONDS)
                client.sendto(encode(discover(7)), ("127.0.0.1", daemon.settings["dhcp"]["port"]))
                line = daemon.wait_for_log("boot")
                assert (line["stage"], line["mac"]) == ("discover", MAC)
                assert "uefi-pxe runs ipxe/snponly.efi first; then:" in line["why"]
                would = "nothing; would be " if mode == "observe" else ""
                assert line["served"] == f"{would}ipxe/snponly.efi"
                assert answered(client) == (mode == "proxy")
            events = [one["event"] for one in daemon.log]
            assert events.index("intentions") < events.index("listening")
            assert daemon.stop() == 0


def answered(client: socket.socket) -> bool:
    try:
        return bool(client.recv(2048))
    except TimeoutError:
        return False
