"""Simulated clients: served like machines, but for names, secrets and the inventory."""

import re
from collections.abc import Iterator

import pytest
from support.fleets import CONFIGURED, INITRAMFS, KERNEL, fleet_of
from support.web import Response, Web, response_of, web

from iluvatar_pxe.inventory.sandbox import MOST_MACHINES
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting

AGENT = "iPXE/1.21.1 iluvatar-simulate"
MAC, LISTED = "02:00:00:00:00:01", "52:54:00:77:00:01"
SCRIPTED, HELD, IGNORED = "52:54:00:77:00:02", "52:54:00:77:00:03", "52:54:00:77:00:04"
ELSEWHERE = "127.0.0.2"
"""Stands in for another host's address."""
HUSH = "HUSH"
"""Is in everything that the fleet has to say, and of no host but this one's business."""
TOLD = "arch=x86_64&platform=efi&product=Simulated"
CONFIG = f"""# {HUSH}
version: v1alpha1
machine:
  type: worker
  token: abcdef.0123456789abcdef
  sysctls: {{ snmp.community: {HUSH} }}
  files:
    - path: /srv/{HUSH}
      content: |
        pin = 4711
---
apiVersion: v1alpha1
kind: HostnameConfig
hostname: {HUSH}
"""
SCRIPT = f"""#!ipxe
set pin 4711
kernel http://user:{HUSH}@192.0.2.7/boot/{HUSH}?token={HUSH} wifi.psk={HUSH} pti=on || shell
echo {HUSH}
chain https://192.0.2.7/next
"""
FLEET = fleet_of(
    ("listed", LISTED, "role: worker\nchain: talos\nconfig: configs/secret.yaml\n"),
    ("hush-script", SCRIPTED, "chain: ipxe\nscript: scripts/own.ipxe\n"),
    ("hush-held", HELD, "intent: hold\n"),
    ("hush-ignored", IGNORED, "intent: ignore\n"),
    fleet="enrolment: {mode: join, countdown: 1}\nrules: [{match: {product: Simulated}, layer: arda}]\n",
    arda=f"{CONFIGURED}names: 'node-#'\n".replace(
        "talos: {",
        f"talos: {{extraKernelArgs: [wifi.psk={HUSH}, pin.4711, ip={HUSH}, root=/{HUSH}, quiet={HUSH}, panic=10], ",
    ),
    **{"configs/secret_yaml": CONFIG, "scripts/own_ipxe": SCRIPT},
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web(tmp_path_factory.mktemp("web"), FLEET) as server:
        for name in (KERNEL, INITRAMFS):
            server.put(name, b"boot file")
        server.call(server.inventory.open())
        yield server
        server.call(server.inventory.close())


def asks(served: Web, path: str, mac: str = MAC) -> Response:
    return served.get(f"{path}?mac={mac}&net0={mac}&{TOLD}", **{"User-Agent": AGENT})


def config_of(script: Response) -> str:
    url = next(word for word in script.text.split() if word.startswith("talos.config="))
    return "/talos/" + url.partition("/talos/")[2]


def asks_from_elsewhere(served: Web, path: str, mac: str) -> Response:
    """Ask as the attack does: simulated in user class and User-Agent, by another machine's MAC, from another host."""
    separator = "&" if "?" in path else "?"
    target = f"{path}{separator}mac={mac}&net0={mac}&{TOLD}" if path.startswith("/ipxe") else path
    with served.connect(ELSEWHERE) as sock:
        sock.sendall(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nUser-Agent: {AGENT}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        octets = b"".join(iter(lambda: sock.recv(1 << 16), b""))
    return response_of(octets)


def tells_nothing(answer: Response) -> bool:
    words = ("hush", "4711", "listed", "psk", "snmp", "abcdef", "secret", "fleet.yaml", "machines/")
    return not any(word in answer.text.lower() for word in words)


def known(served: Web) -> list[Machine]:
    return list(served.inventory.snapshot.by_id.values())


def test_a_listed_machines_boot_is_played_without_its_secrets(served: Web) -> None:
    script = asks(served, "/ipxe", LISTED)
    assert "listed: starting Talos" in script.text
    config = served.get(config_of(script), **{"User-Agent": AGENT})
    assert (config.status, "abcdef" in config.text) == (200, False)
    assert "type: worker" in config.text
    assert "4711" not in config.text
    assert "panic=10 talos.config=" in script.text
    assert "psk" not in script.text
    assert not known(served)


@pytest.mark.parametrize("mac", [LISTED, SCRIPTED, HELD, IGNORED, "02:00:00:00:0a:01"])
@pytest.mark.parametrize("path", ["/ipxe", "/ipxe/confirm", "/ipxe/refuse"])
def test_another_host_that_says_that_it_is_simulated_gets_no_text_of_the_fleet(
    served: Web, mac: str, path: str
) -> None:
    first = asks_from_elsewhere(served, "/ipxe", mac)
    answer = asks_from_elsewhere(served, path, mac)
    assert first.status in {200, 404}
    assert answer.status in {200, 404}
    assert tells_nothing(first)
    assert tells_nothing(answer)


def test_another_host_gets_a_made_up_configuration_of_the_same_shape_and_size(served: Web) -> None:
    script = asks_from_elsewhere(served, "/ipxe", LISTED)
    assert "panic=10" not in script.text, "that is the fleet's"
    assert " pti=on " in script.text, "that is the daemon's own"
    assert f" {'x' * len('wifi.psk=HUSH')} " in script.text
    config = asks_from_elsewhere(served, config_of(script), LISTED)
    assert config.status == 200
    assert tells_nothing(config)
    assert len(config.body) == len(CONFIG)
    assert "  token: xxxxxxxxxxxxxxxxxxxxxxx\n" in config.text
    assert config.text.count("\n") == CONFIG.count("\n")


def test_another_host_gets_a_made_up_script_of_the_same_size(served: Web) -> None:
    answer = asks_from_elsewhere(served, "/ipxe", SCRIPTED)
    assert answer.text.startswith("#!ipxe\n")
    assert len(answer.body) == len(SCRIPT)
    assert "exit 1\n" in answer.text


def test_a_ticket_that_this_host_got_opens_a_made_up_configuration_elsewhere(served: Web) -> None:
    path = config_of(asks(served, "/ipxe", LISTED))
    assert tells_nothing(asks_from_elsewhere(served, path, LISTED))


def test_simulating_a_machine_does_not_age_its_own_ticket(served: Web) -> None:
    """The daemon has run for longer than a ticket lives; then only when it was minted counts."""
    served.now += 5 * 3600
    machine = served.boots(LISTED)
    script = served.get(f"/ipxe?mac={LISTED}&{TOLD}")
    simulated = served.booters.simulated
    discover = Sighting(mac=LISTED, firmware=Firmware.UEFI_PXE)
    for _ in range(2):
        simulated.journal.served(simulated.decide(discover), Stage.DISCOVER, "")
        asks_from_elsewhere(served, "/ipxe", LISTED)
    assert served.get(config_of(script)).status == 200
    served.neighbours.clear()
    served.call(served.inventory.forget(machine.id, "test"))


def test_another_host_is_not_told_what_is_known_of_the_machine(served: Web) -> None:
    mac = "52:54:00:77:00:09"
    seen = Sighting(
        mac=mac, firmware=Firmware.IPXE, macs=(mac,), serial=HUSH, product=HUSH, manufacturer=HUSH
    )

    async def observe() -> Machine:
        return served.inventory.observe(seen, Stage.SCRIPT, vouched=True)

    machine = served.call(observe())
    asks_from_elsewhere(served, "/ipxe", mac)
    assert tells_nothing(asks_from_elsewhere(served, "/ipxe/confirm", mac))
    served.call(served.inventory.forget(machine.id, "test"))


def test_this_host_gets_a_made_up_script_too(served: Web) -> None:
    """No script can be masked and still run."""
    script = asks(served, "/ipxe", SCRIPTED)
    assert tells_nothing(script)
    assert "exit 1\n" in script.text


def test_a_ticket_of_a_rehearsal_opens_nothing_real(served: Web) -> None:
    path = config_of(asks(served, "/ipxe", LISTED))
    assert served.get(path).status == 404


def test_who_does_not_say_that_it_is_simulated_is_not_believed(served: Web) -> None:
    script = served.get(f"/ipxe?mac={LISTED}&{TOLD}")
    assert "is not verified" in script.text


def test_unlisted_ones_count_down_and_get_names_that_nobody_has_taken(served: Web) -> None:
    names = set()
    for mac in (MAC, "02:00:00:00:00:02"):
        assert "is about to join" in asks(served, "/ipxe", mac).text
        named = re.search(r"(node-\d+): starting Talos", asks(served, "/ipxe/confirm", mac).text)
        assert named
        names.add(named[1])
    assert len(names) == 2
    assert not known(served)


def test_a_key_during_the_countdown_changes_nothing(served: Web) -> None:
    mac = "02:00:00:00:00:03"
    asks(served, "/ipxe", mac)
    assert "booting from its own disk" in asks(served, "/ipxe/refuse", mac).text
    assert not known(served)


def test_who_invents_more_machines_than_are_remembered_pushes_out_their_oldest(served: Web) -> None:
    simulated = served.booters.simulated
    for number in range(MOST_MACHINES + 5):
        mac = f"02:00:01:00:{number // 256:02x}:{number % 256:02x}"
        sighting = Sighting(mac=mac, firmware=Firmware.UEFI_PXE)
        simulated.journal.served(simulated.decide(sighting), Stage.DISCOVER, "")
    assert len(simulated.inventory.snapshot.by_id) == MOST_MACHINES
    assert simulated.inventory.snapshot.machine("02:00:01:00:00:00") is None
    assert simulated.inventory.snapshot.machine(mac)
    assert not known(served)
