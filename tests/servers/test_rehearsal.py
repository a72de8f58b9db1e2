"""Simulated clients: served like machines, but for names, secrets and the inventory."""

from collections.abc import Iterator

import pytest
from support.fleets import CONFIGURED, INITRAMFS, KERNEL, fleet_of
from support.web import Response, Web, web

from iluvatar_pxe.inventory.rehearsal import MOST_MACHINES
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.servers.rehearsal_desk import RehearsalDesk

AGENT = "iPXE/1.21.1 iluvatar-simulate"
MAC, LISTED = "02:00:00:00:00:01", "52:54:00:77:00:01"
TOLD = "arch=x86_64&platform=efi&product=Simulated"
FLEET = fleet_of(
    ("listed", LISTED, "role: worker\nchain: talos\nconfig: configs/secret.yaml\n"),
    fleet="enrolment: {mode: join, countdown: 1}\nrules: [{match: {product: Simulated}, layer: arda}]\n",
    arda=CONFIGURED + "names: 'node-#'\n",
    **{"configs/secret_yaml": "machine: {type: worker, token: abcdef.0123456789abcdef}\n"},
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web(tmp_path_factory.mktemp("web"), FLEET) as server:
        for name in (KERNEL, INITRAMFS):
            server.put(name, b"boot file")
        server.call(server.inventory.open())
        server.desk.rehearsal = RehearsalDesk(server.desk, server.inventory)
        yield server
        server.call(server.inventory.close())


def asks(served: Web, path: str, mac: str = MAC) -> Response:
    return served.get(f"{path}?mac={mac}&net0={mac}&{TOLD}", **{"User-Agent": AGENT})


def config_of(script: Response) -> str:
    url = next(word for word in script.text.split() if word.startswith("talos.config="))
    return "/talos/" + url.partition("/talos/")[2]


def known(served: Web) -> list[Machine]:
    return list(served.inventory.snapshot.by_id.values())


def test_a_listed_machines_boot_is_played_without_its_secrets(served: Web) -> None:
    script = asks(served, "/ipxe", LISTED)
    assert "listed: starting Talos" in script.text
    config = served.get(config_of(script), **{"User-Agent": AGENT})
    assert (config.status, "abcdef" in config.text) == (200, False)
    assert "type: worker" in config.text
    assert not known(served)


def test_a_ticket_of_a_rehearsal_opens_nothing_real(served: Web) -> None:
    path = config_of(asks(served, "/ipxe", LISTED))
    assert served.get(path).status == 404


def test_who_does_not_say_that_it_is_simulated_is_not_believed(served: Web) -> None:
    script = served.get(f"/ipxe?mac={LISTED}&{TOLD}")
    assert "is not known for sure" in script.text


def test_unlisted_ones_count_down_and_get_names_that_nobody_has_taken(served: Web) -> None:
    for number, mac in enumerate((MAC, "02:00:00:00:00:02"), 1):
        assert "is about to join" in asks(served, "/ipxe", mac).text
        assert f"node-{number}: starting Talos" in asks(served, "/ipxe/confirm", mac).text
    assert not known(served)


def test_a_key_during_the_countdown_changes_nothing(served: Web) -> None:
    mac = "02:00:00:00:00:03"
    asks(served, "/ipxe", mac)
    assert "booting from its own disk" in asks(served, "/ipxe/refuse", mac).text
    assert not known(served)


def test_who_invents_more_machines_than_are_remembered_pushes_out_their_oldest(served: Web) -> None:
    rehearsal = served.desk.rehearsal
    assert rehearsal
    for number in range(MOST_MACHINES + 5):
        mac = f"02:00:01:00:{number // 256:02x}:{number % 256:02x}"
        rehearsal.record(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), Stage.DISCOVER, "")
    assert len(rehearsal.inventory.snapshot.by_id) == MOST_MACHINES
    assert rehearsal.inventory.snapshot.machine("02:00:01:00:00:00") is None
    assert rehearsal.inventory.snapshot.machine(mac)
    assert not known(served)
