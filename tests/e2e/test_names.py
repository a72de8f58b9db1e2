"""A home whose router hands out the Pi as DNS: a machine that it booted resolves the fleet's names, and the others."""

import re
from pathlib import Path

import pytest
from support.stations import Station
from support.tls import Given
from support.waiting import wait_until

from bench.lab_boot import MAC, Listed, boot, offer_system
from iluvatar_pxe.lab.daemon import Server, ask
from iluvatar_pxe.lab.room.lab import Lab
from iluvatar_pxe.lab.room.network import SERVER_ADDRESS
from iluvatar_pxe.lab.room.router import OUTSIDE
from iluvatar_pxe.lab.system.kernel import StandIn

pytestmark = pytest.mark.firmware

DOMAIN = "lab.home.arpa"
OWN, GIT, API = (f"{name}.{DOMAIN}" for name in ("arda-01", "git", "api.arda"))
NOBODY = (f"nobody.{DOMAIN}", "nobody.example")
ASKED = (OWN, GIT, API, OUTSIDE[0], *NOBODY)
CONFIG = "".join(["version: v1alpha1\n", *(f"# resolve {name}\n" for name in ASKED)]).encode()
LIVING, DEAD = "10.77.0.102", "10.77.0.103"
LEADER_MACS = {"arda-02": "52:54:00:77:01:02", "arda-03": "52:54:00:77:01:03"}
API_PORT = "6443"


def test_a_machine_resolves_what_the_pi_knows_and_what_it_forwards(system: StandIn, tmp_path: Path) -> None:
    with Lab() as lab:
        server = Server(lab.network)
        offer_system(lab.namespace, server, system)
        server.write_fleet(Listed(MAC, CONFIG).files | leader_files())
        daemon = server.start()
        join_leaders(lab, tmp_path)
        console = boot(lab, "bios").console
        assert daemon.stop() == 0, daemon.tail()
    lease = re.search(r"^LAB address=(\S+) dns=(.*?)\r?$", console, re.MULTILINE)
    assert lease, console
    assert lease[2] == SERVER_ADDRESS
    told = dict(re.findall(r"^LAB resolved=(\S+) to=(.*?)\r?$", console, re.MULTILINE))
    leaders = told.pop(API).split()
    known = {OWN: lease[1], GIT: SERVER_ADDRESS, OUTSIDE[0]: OUTSIDE[1]}
    assert told == known | dict.fromkeys(NOBODY, "")
    assert LIVING in leaders  # alone, unless the emulator took the time that its API has to answer


def join_leaders(lab: Lab, directory: Path) -> None:
    """Have two control planes join, of which one has an API that answers, until DNS names only that one."""
    station = Station(lab.network, "leader", LIVING, LEADER_MACS["arda-02"])
    serve_api(lab, station, directory)
    for name, mac in LEADER_MACS.items():
        assert station.asks_for_a_boot(mac)
        ask(lab.namespace, "machines", "set", name, "--phase", "joined")
    question = ["dig", "+short", f"@{SERVER_ADDRESS}", API]
    wait_until(
        lambda: lab.namespace.run(question, network=station.name).split() == [LIVING],
        "the cluster's name to have its living leader alone",
    )


def serve_api(lab: Lab, station: Station, directory: Path) -> None:
    """Answer HTTPS on the station as an API server does, to GET ``/readyz`` too."""
    given = Given.make(directory)
    files = ["-cert", str(given.certificate), "-key", str(given.key)]
    command = ["openssl", "s_server", "-www", "-accept", API_PORT, *files]
    lab.namespace.start("api", command, network=station.name).wait_for("ACCEPT", 10)


def leader_files() -> dict[str, bytes]:
    """Return the files of two control planes with addresses of their own."""
    addresses = zip(LEADER_MACS.items(), (LIVING, DEAD), strict=True)
    files = {
        f"machines/{name}.yaml": (
            f'match: {{macs: ["{mac}"]}}\nlayer: arda\nrole: controlplane\naddress: {address}\nintent: local\n'
            "config: configs/leader.yaml\n"
        ).encode()
        for (name, mac), address in addresses
    }
    return {**files, "configs/leader.yaml": b"its owner sets its phase\n"}
