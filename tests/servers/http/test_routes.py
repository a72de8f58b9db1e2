"""HTTP: every route of the outside contract, over real connections."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.fleets import INITRAMFS, KERNEL, fleet_of, talos
from support.web import CLIENT, Response, Web, web

from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Directive, Intent, Phase
from iluvatar_pxe.provisioning.tickets import OUTLIVES
from iluvatar_pxe.values import replace

MAC, OTHER, UNSEEN = "52:54:00:77:00:01", "52:54:00:77:00:02", "52:54:00:77:00:88"
QUERY = f"mac={MAC}&uuid=&serial=S-1&manufacturer=QEMU&product=Q35&arch=x86_64&platform=efi&version=1.21.1"
FLEET = fleet_of(talos("one", MAC), ("two", OTHER, "chain: local\n"))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path, FLEET) as running:
        running.put(KERNEL, b"kernel")
        running.put(INITRAMFS, b"initramfs")
        yield running


@pytest.fixture
def booting(served: Web) -> Web:
    """Serve with ``MAC`` just seen in DHCP."""
    served.boots(MAC)
    return served


def config_url(response: Response) -> str:
    """Return the path of ``talos.config=`` in a script."""
    (url,) = [word for word in response.text.split() if word.startswith("talos.config=")]
    return "/talos/" + url.rpartition("/talos/")[2]


def test_boot_ipxe_chains_to_the_machines_own_script(served: Web) -> None:
    response = served.get("/boot.ipxe")
    assert response.status == 200
    assert response.text.startswith("#!ipxe\n")
    assert f" --replace http://127.0.0.1:{served.port}/ipxe?mac=${{netX/mac}}" in response.text
    assert "ifconf" not in response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/autoexec.ipxe", "/assets/ipxe/autoexec.ipxe"])
def test_autoexec_brings_up_the_network_first(served: Web, path: str) -> None:
    assert "ifconf --configurator dhcp" in served.get(path).text


def test_a_listed_machine_gets_its_chain_and_its_configuration(booting: Web) -> None:
    served = booting
    response = served.get(f"/ipxe?{QUERY}")
    assert response.status == 200
    assert f" http://127.0.0.1:{served.port}/assets/{KERNEL} " in response.text
    config = served.get(config_url(response))
    assert (config.status, config.text) == (200, "machine: {}\n")
    assert config.headers["content-type"].startswith("application/yaml")
    assert config.headers["cache-control"] == "no-store"


def test_an_unlisted_machine_is_told_what_to_do(served: Web) -> None:
    response = served.get("/ipxe?mac=52:54:00:77:00:09")
    assert response.status == 200
    assert 'match: {macs: ["52:54:00:77:00:09"]}' in response.text


def test_a_local_machine_boots_its_disk(served: Web) -> None:
    assert "sanboot" in served.get(f"/ipxe?mac={OTHER}&platform=pcbios").text
    assert "sanboot" not in served.get(f"/ipxe?mac={OTHER}&platform=efi").text


@pytest.mark.parametrize(
    "query", ["", "?", "?mac=", "?mac=x", "?mac=ff:ff:ff:ff:ff:ff", "?uuid=1", "?mac=%00%ff"]
)
def test_a_request_without_a_usable_mac_is_refused(served: Web, query: str) -> None:
    with capture_logs() as logs:
        response = served.get(f"/ipxe{query}")
    assert response.status == 400
    assert all(line["event"] == "http.unserved" and line["path"] == "/ipxe" for line in logs)
    assert response.is_one_line
    assert "MAC address" in response.text or "group or null address" in response.text


def test_health(served: Web) -> None:
    assert served.get("/healthz").text == "ok\n"
    response = served.get("/readyz")
    assert response.status == 200
    assert json.loads(response.body) == {
        "ready": True,
        "parts": {"database": "ok", "fleet": "ok"},
        "boot": [],
        "clusters": [],
        "time": [],
        "network": [],
        "notifications": [],
        "programs": {"bios-x86_64": "none: see docs/firmware.md"},
        "dns": {},
    }


def test_readyz_says_what_is_wrong_while_boots_go_on(served: Web) -> None:
    served.problems["database"] = "inventory.db: the disk is full"
    response = served.get("/readyz")
    assert response.status == 503
    assert json.loads(response.body)["parts"] == {"database": "inventory.db: the disk is full", "fleet": "ok"}
    assert served.get(f"/ipxe?{QUERY}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/boot.ipxe/",
        "/ipxe/",
        "/assets",
        "/assets/",
        "/assets/none",
        "/talos/x",
    ],
)
def test_what_is_not_there(served: Web, path: str) -> None:
    response = served.get(path)
    assert response.status == 404
    assert response.is_one_line


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "path", ["/boot.ipxe", "/ipxe", f"/assets/{KERNEL}", "/readyz", "/talos/x/config.yaml"]
)
def test_nothing_can_be_written(served: Web, method: str, path: str) -> None:
    response = served.get(path, method)
    assert response.status == 405
    assert response.is_one_line
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("path", ["/boot.ipxe", "/autoexec.ipxe", "/healthz", "/readyz", f"/assets/{KERNEL}"])
def test_head_is_get_without_a_body(served: Web, path: str) -> None:
    head, get = served.get(path, "HEAD"), served.get(path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize("path", [f"/ipxe?{QUERY}", "/talos/x/config.yaml"])
def test_what_has_an_effect_has_no_head(served: Web, path: str) -> None:
    assert served.get(path, "HEAD").status == 405
    assert not served.inventory.snapshot.by_id


def test_every_stage_of_a_boot_is_logged_in_one_line_each(served: Web) -> None:
    served.boots(MAC)
    with capture_logs() as logs:
        served.get("/autoexec.ipxe")
        served.get("/boot.ipxe")
        config = config_url(served.get(f"/ipxe?{QUERY}"))
        served.get(f"/assets/{KERNEL}")
        served.get(f"/assets/{INITRAMFS}")
        served.get(config)
    boots = [line for line in logs if line["event"] == "boot"]
    assert [(line["stage"], line["served"], line["bytes"] > 0) for line in boots] == [
        ("nbp", "autoexec.ipxe", True),
        ("first-script", "boot.ipxe", True),
        ("script", "talos", True),
        ("kernel", KERNEL, True),
        ("initramfs", INITRAMFS, True),
        ("config", "one/config.yaml", True),
    ]
    assert {(line["machine"], line["mac"], line["boot"]) for line in boots} == {("one", MAC, 1)}
    machine = served.inventory.snapshot.machine(MAC)
    assert machine is not None
    assert machine.reached is Stage.CONFIG


def test_looking_is_no_stage(served: Web) -> None:
    served.boots(MAC)
    with capture_logs() as logs:
        for path in ("/boot.ipxe", f"/assets/{KERNEL}"):
            served.get(path, "HEAD")
        etag = served.get(f"/assets/{KERNEL}", "HEAD").headers["etag"]
        assert served.get(f"/assets/{KERNEL}", If_None_Match=etag).status == 304
        served.get("/healthz")
        served.get("/readyz")
    assert logs == []


def test_a_ticket_outlives_its_boot_by_minutes(booting: Web) -> None:
    """Whatever a DHCP message in the machine's name begins, the boot under way comes to its end."""
    served = booting
    config = config_url(served.get(f"/ipxe?{QUERY}"))
    boots = [served.boots(MAC, stage).generation for stage in (Stage.DISCOVER, Stage.NBP, Stage.DISCOVER)]
    assert boots == [2, 2, 3]
    served.now += OUTLIVES - 1
    assert served.get(config).text == "machine: {}\n"
    served.now += 1
    served.boots(MAC)
    response = served.get(config)
    assert response.status == 404
    assert response.text == "404: invalid or expired ticket; boot the machine again\n"


def test_a_ticket_dies_of_age(booting: Web) -> None:
    served = booting
    config = config_url(served.get(f"/ipxe?{QUERY}"))
    served.now += 4 * 3600 - 1
    assert served.get(config).status == 200
    served.now += 1
    assert served.get(config).status == 404


def test_a_ticket_of_a_machine_that_has_no_configuration_any_more(booting: Web) -> None:
    served = booting
    config = config_url(served.get(f"/ipxe?{QUERY}"))
    served.booter.applied.fleet = fleet_of(("one", MAC, "chain: local\n"))
    response = served.get(config)
    assert response.status == 404
    assert response.text == "404: this machine has no configuration: machines/one.yaml sets chain local\n"


@pytest.mark.parametrize("ticket", ["x", "%00", "%2e%2e", "A" * 48, "=" * 48, "%C3%A9", "%FF", "~" * 2000])
def test_a_forged_ticket(served: Web, ticket: str) -> None:
    response = served.get(f"/talos/{ticket}/config.yaml")
    assert response.status == 404
    assert response.is_one_line


def test_a_plus_in_a_product_name_is_a_plus(served: Web) -> None:
    answer = served.get("/ipxe?mac=52:54:00:77:00:77&product=Q35%20+%20ICH9")
    assert "echo Machine: Q35 + ICH9\n" in answer.text


def test_a_machine_that_boots_by_another_card_than_the_listed_one(served: Web) -> None:
    """Its word is not enough; once the listed card was heard on the same hardware, either card will do."""
    other = "52:54:00:77:00:88"
    told = (
        f"net0={MAC}&net1={other}&uuid=4c4c4544-0042-3510-8052-b4c04f4e3432&serial=S-9&product=P&arch=x86_64"
    )
    served.boots(other)
    text = served.get(f"/ipxe?mac={other}&{told}").text
    assert "machines/one.yaml, but that NIC has not been seen yet" in text.replace("\necho ", " ")
    served.boots(MAC)
    assert "echo one: starting Talos" in served.get(f"/ipxe?mac={MAC}&{told}").text
    served.boots(other)
    response = served.get(f"/ipxe?mac={other}&{told}")
    assert "echo one: starting Talos" in response.text
    assert served.get(config_url(response)).text == "machine: {}\n"


def test_a_nic_that_the_file_lists_is_the_machines_also_if_only_another_has_booted(booting: Web) -> None:
    booting.booter.applied.fleet = fleet_of(talos("one", f'{MAC}", "{UNSEEN}'))
    config = config_url(booting.get(f"/ipxe?{QUERY}"))
    booting.neighbours[CLIENT] = UNSEEN
    assert booting.get(config).text == "machine: {}\n"
    assert "warning" not in booting.get(f"/ipxe?{QUERY}").text


def test_the_owner_is_told_the_line_for_a_nic_that_asks_and_is_not_listed(booting: Web) -> None:
    """By the answer, the log, the inventory, and the machine's screen at its next boot, until the line is there."""
    line = f'add "{UNSEEN}" to match.macs in machines/one.yaml'
    config = config_url(booting.get(f"/ipxe?{QUERY}"))
    booting.neighbours[CLIENT] = UNSEEN
    with capture_logs() as logs:
        response = booting.get(config)
    assert (response.status, line in response.text) == (403, True)
    assert [line in entry["why"] for entry in logs if entry["event"] == "untrusted"] == [True]
    booting.boots(MAC)
    assert line in booting.get(f"/ipxe?{QUERY}").text.replace("\necho ", " ")
    machine = booting.inventory.snapshot.machine(MAC)
    assert machine
    assert [line in one for one in describe(machine, FLEET)["warnings"]] == [True]
    booting.booter.applied.fleet = fleet_of(talos("one", f'{MAC}", "{UNSEEN}'))
    assert UNSEEN not in booting.get(f"/ipxe?{QUERY}").text
    assert describe(machine, booting.booter.applied.fleet)["warnings"] == []


def test_of_a_nic_of_another_machine_that_asks_the_answer_says_whose_it_is(booting: Web) -> None:
    booting.booter.applied.fleet = fleet_of(talos("one", MAC), talos("nas", UNSEEN))
    config = config_url(booting.get(f"/ipxe?{QUERY}"))
    booting.neighbours[CLIENT] = UNSEEN
    response = booting.get(config)
    assert (response.status, "a NIC of nas, not of one" in response.text) == (403, True)
    assert all(not one.unsure for one in booting.inventory.snapshot.by_id.values())


def test_a_machine_behind_a_router_gets_all_but_a_configuration(booting: Web) -> None:
    """Its screen says so, and does not go round by DHCP, which would prove nothing there."""
    config = config_url(booting.get(f"/ipxe?{QUERY}"))
    booting.neighbours[CLIENT] = UNSEEN  # the router's NIC: nobody should add that to a file
    booting.routed.add(CLIENT)
    refused = booting.get(config)
    assert (refused.status, "add" in refused.text) == (403, False)
    assert all(not one.unsure for one in booting.inventory.snapshot.by_id.values())
    answer = booting.get(f"/ipxe?{QUERY}")
    assert answer.status == 200
    text = answer.text.replace("\necho ", " ")
    assert "behind a router or a relay, so nothing proves which machine it is: 127.0.0.1 is in none" in text
    assert "talos.config" not in text
    assert "ifconf" not in text
    booting.booter.applied.fleet = fleet_of(("one", MAC, "chain: local\n"))
    assert "booting from its own disk" in booting.get(f"/ipxe?{QUERY}").text
    booting.booter.applied.fleet = fleet_of(("one", MAC, "chain: hold\n"))
    assert "The fleet holds this machine" in booting.get(f"/ipxe?{QUERY}").text


def test_a_joined_machine_boots_its_disk_also_by_another_nic_of_its_file(booting: Web) -> None:
    """Hardware data would not show which machine it is: many boards have none of their own."""
    booting.booter.applied.fleet = fleet_of(talos("one", f'{MAC}", "{UNSEEN}'))
    machine = booting.inventory.snapshot.machine(MAC)
    assert machine
    joined = partial(replace, phase=Phase.JOINED)
    booting.call(booting.inventory.change(machine.id, joined, Happening.CHANGED, "joined", "test"))
    booting.boots(UNSEEN)
    answer = booting.get(f"/ipxe?mac={UNSEEN}&arch=x86_64&platform=efi&net0={UNSEEN}")
    assert "booting from its own disk" in answer.text
    (known,) = booting.inventory.snapshot.by_id.values()
    assert known.macs == (MAC, UNSEEN)


def test_clones_are_one_machine_and_the_owner_is_told_both_nics(booting: Web) -> None:
    hardware = "uuid=4c4c4544-0042-3510-8052-b4c04f4e3432&serial=S-9&product=P&arch=x86_64&platform=efi"
    assert booting.get(f"/ipxe?mac={MAC}&net0={MAC}&{hardware}").status == 200
    booting.boots(UNSEEN)
    with capture_logs() as logs:
        answer = booting.get(f"/ipxe?mac={UNSEEN}&net0={UNSEEN}&{hardware}")
        booting.get(f"/ipxe?mac={UNSEEN}&net0={UNSEEN}&{hardware}")
    assert "echo one is not verified." in answer.text
    assert "talos.config" not in answer.text
    (warning,) = (entry["why"] for entry in logs if entry["event"] == "nic.unsure")
    assert warning.startswith(f"{UNSEEN} and {MAC} report the same UUID or serial number")
    assert f"gets no configuration by {UNSEEN}" in warning
    (machine,) = booting.inventory.snapshot.by_id.values()
    assert describe(machine, FLEET)["warnings"] == [warning]
    rest, _ = booting.call(booting.inventory.split(machine.id, UNSEEN, "test"))
    assert describe(rest, FLEET)["warnings"] == []


def test_clones_that_two_files_list_are_two_machines(booting: Web) -> None:
    """The boot of one does not end that of the other."""
    booting.booter.applied.fleet = fleet_of(talos("one", MAC), talos("two", UNSEEN))
    hardware = "uuid=4c4c4544-0042-3510-8052-b4c04f4e3432&serial=S-9&product=P&arch=x86_64&platform=efi"
    config = config_url(booting.get(f"/ipxe?mac={MAC}&net0={MAC}&{hardware}"))
    booting.boots(UNSEEN)
    answer = booting.get(f"/ipxe?mac={UNSEEN}&net0={UNSEEN}&{hardware}")
    assert "echo two: starting Talos" in answer.text
    assert booting.get(config_url(answer)).text == "machine: {}\n"
    booting.neighbours[CLIENT] = MAC
    assert booting.get(config).text == "machine: {}\n"
    assert {one.macs for one in booting.inventory.snapshot.by_id.values()} == {(MAC,), (UNSEEN,)}


@pytest.mark.parametrize("intent", [Intent.BOOT, Intent.REINSTALL])
@pytest.mark.parametrize(
    "told", [{"phase": Phase.INSTALLED}, {"reached": Stage.RUNNING}, {"phase": Phase.JOINED}]
)
def test_a_ticket_dies_when_the_machine_reports_that_it_is_installed_or_runs(
    booting: Web, told: dict[str, Any], intent: Intent
) -> None:
    """Also when it is to be installed again: that takes a boot, which has a ticket of its own."""
    config = config_url(booting.get(f"/ipxe?{QUERY}"))
    machine = booting.inventory.snapshot.machine(MAC)
    assert machine

    def joined(one: Machine) -> Machine:
        return replace(one, directive=Directive(intent, "test"), **told)

    booting.call(booting.inventory.change(machine.id, joined, Happening.CHANGED, "joined", "test"))
    assert booting.get(config).status == 404


@pytest.mark.parametrize("path", ["/ipxe/confirm", "/ipxe/refuse"])
def test_an_answer_of_nobodys_screen_is_refused(served: Web, path: str) -> None:
    response = served.get(f"{path}?mac={OTHER}")
    assert (response.status, response.is_one_line) == (404, True)
    assert served.get(path).status == 400


def change(served: Web, path: Path) -> None:
    path.write_bytes(b"other")
    served.store.guard(lambda _name, _mark: False)


def remove(_: Web, path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [change, remove])
def test_what_was_changed_or_removed_since_the_last_look_may_be_asked_for_again(
    served: Web, spoil: Callable[[Web, Path], None]
) -> None:
    """A 404 would end a boot, though the file may be checked or fetched in a moment."""
    spoil(served, served.put("kernel", b"kernel"))
    answer = served.get("/assets/kernel")
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert answer.text == "503: that file cannot be sent now; ask again later, and see this server's log\n"


@pytest.mark.parametrize(
    ("asked", "condition", "status", "body"),
    [
        ("bytes=0-2", "", 206, b"ker"),
        ("bytes=-2", "", 206, b"el"),
        ("bytes=0-2", '"x"', 200, b"kernel"),
        ("bytes=0-2", 'W/"x"', 200, b"kernel"),
        ("bytes=0-2", "right", 206, b"ker"),
        ("bytes=0-2", "Thu, 01 Jan 1970 00:00:00 GMT", 200, b"kernel"),
        ("bytes=0-1,3-4", "", 200, b"kernel"),
        ("items=0-4", "", 200, b"kernel"),
        ("bytes=-0", "", 416, None),
        ("bytes=6-", "", 416, None),
    ],
)
def test_rfc_9110_14_ranges(served: Web, asked: str, condition: str, status: int, body: bytes | None) -> None:
    served.put("kernel", b"kernel")
    tag = served.get("/assets/kernel", "HEAD").headers["etag"]
    answer = served.get("/assets/kernel", Range=asked, If_Range=tag if condition == "right" else condition)
    assert answer.status == status
    assert body in {None, answer.body}
    if status == 416:
        assert answer.headers["content-range"] == "bytes */6"
