"""Below ``/cloud-init/TICKET``: who gets documents and secrets, when, and what is taken of what machines report."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from structlog.testing import capture_logs
from support.ainur import bundle_of
from support.fleets import fleet_of
from support.pi_cluster import Cluster
from support.web import CLIENT, Response, Web, response_of, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.layers.ainur.k3s_files import JOIN, TOKEN
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.provisioning.cloud_init import instance_id_of
from iluvatar_pxe.provisioning.trying_again import TryingAgain
from iluvatar_pxe.wire.pxe import SIMULATED

MAC, OTHER = "2c:cf:67:00:00:05", "2c:cf:67:00:00:06"
ROLE = {"ainur-01": Role.SERVER, "ainur-02": Role.AGENT}
LAYER = "image: ubuntu\nroot: {kind: memory, data: {label: data}}\n"
FLEET = fleet_of(
    ("ainur-01", MAC, "layer: ainur\nrole: server\n"),
    ("ainur-02", OTHER, "layer: ainur\nrole: agent\n"),
    ainur=LAYER,
)
DOCUMENTS = ("network-config", "meta-data", "user-data", "vendor-data")
"""In the order in which cloud-init asks."""


@dataclass
class Site:
    """A server, and the Pi that asks it."""

    web: Web
    cluster: Cluster
    ticket: str = ""

    def boot(self, mac: str = MAC) -> None:
        """Let a Pi ask by DHCP, and have the ticket of this boot."""
        machine = self.web.boots(mac, firmware=Firmware.RASPBERRY_PI)
        assert self.web.booter.cloud_init
        self.ticket = self.web.booter.cloud_init.tickets.mint(machine)

    @property
    def base(self) -> str:
        return f"/cloud-init/{self.ticket}"

    def get(self, document: str, **headers: str) -> Response:
        return self.web.get(f"{self.base}/{document}", **headers)

    def post(self, path: str, body: object = None) -> Response:
        return self.web.post(f"{self.base}/{path}", json.dumps(body).encode())

    def swap(self, *, etcd: bool = False) -> dict[str, Any]:
        """Return the answer to a swap, which has to be one."""
        response = self.post("swap", {"etcd": etcd})
        assert (response.status, response.headers["cache-control"]) == (200, "no-store"), response.text
        found: dict[str, Any] = json.loads(response.text)
        return found

    def phones(self, **values: str) -> Response:
        told = {"hostname": "ainur-01", "instance_id": instance_id_of(self.machine), "fqdn": "x"} | values
        form = "application/x-www-form-urlencoded"
        return self.web.post(f"{self.base}/phone-home", urlencode(told).encode(), Content_Type=form)

    def report(self, name: str, event: str, **more: object) -> Response:
        return self.post("report", {"name": name, "event_type": event, "timestamp": 1.5, **more})

    @property
    def told(self) -> tuple[int, Stage]:
        return self.machine.generation, self.machine.reached

    @property
    def machine(self) -> Machine:
        found = self.web.inventory.snapshot.machine(MAC)
        assert found
        return found


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    with serving(tmp_path) as found:
        yield found


@contextmanager
def serving(directory: Path) -> Iterator[Site]:
    """Serve the fleet, with its server just booted."""
    cluster = Cluster()
    with web(directory, FLEET, cloud_init=cluster.cloud_init) as running:
        site = Site(running, cluster)
        site.boot()
        yield site


def refused(logs: list[Any]) -> list[str]:
    return [line["asked"] for line in logs if line["event"] == "untrusted"]


def test_what_comes_in_pieces_is_read_to_its_end(site: Site) -> None:
    site.get("user-data")
    told = {"name": "k3s", "result": "FAIL", "description": "x" * 20_000 + " end"}
    body = json.dumps(told).encode()
    head = f"POST {site.base}/report HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with site.web.connect() as sock:
        for piece in (head.encode(), body[:7000], body[7000:]):
            sock.sendall(piece)
            site.web.call(asyncio.sleep(0.05))
        assert response_of(sock.recv(1 << 16)).status == 200
    assert len(site.machine.report.faults) == 1


def test_a_pi_gets_its_own_documents_and_its_ticket_in_them(site: Site) -> None:
    found = {name: site.get(name) for name in DOCUMENTS}
    assert {one.status for one in found.values()} == {200}
    meta = yaml.safe_load(found["meta-data"].text)
    assert meta == {"instance-id": instance_id_of(site.machine), "local-hostname": "ainur-01"}
    assert found["vendor-data"].text == ""
    assert MAC in found["network-config"].text
    user = yaml.safe_load(found["user-data"].text)
    assert found["user-data"].text.startswith("#cloud-config\n")
    assert user["hostname"] == "ainur-01"
    assert user["ntp"]["servers"] == ["10.0.0.3", "time.cloudflare.com"], (
        "nobody else has the loopback address"
    )
    (node,) = [json.loads(one["content"]) for one in user["write_files"] if one["path"].endswith("node.json")]
    own = f"http://127.0.0.1:{site.web.port}"
    assert node["url"] == f"{own}{site.base}"
    assert node["daemons"] == [own, f"http://10.0.0.3:{site.web.port}"]
    bundle = bundle_of()
    assert not any(secret in found["user-data"].text for secret in (bundle.server_token, bundle.agent_token))
    assert (site.machine.reached, site.machine.seed.boot) == (Stage.CONFIG, 1)
    assert site.machine.phase is Phase.INSTALLING


def test_the_ticket_is_swapped_until_the_receipt_is_shown_and_then_dead(site: Site) -> None:
    site.get("user-data")
    first, second = site.swap(), site.swap(etcd=True)
    assert first["receipt"] == second["receipt"]
    files = {one["path"]: one["text"] for one in first["files"]}
    assert files[JOIN] == "cluster-init: true\n"
    assert files[TOKEN] == f"{bundle_of().server_token}\n"
    assert site.cluster.asked == [("ainur", "ainur-01", Role.SERVER, has) for has in (False, True)]
    assert site.post("stored", {"receipt": site.ticket}).status == 403
    assert site.cluster.stored == []
    for _ in range(2):
        assert site.post("stored", {"receipt": first["receipt"]}).status == 200
    assert site.cluster.stored == [("ainur", "ainur-01")]
    assert site.post("swap").status == 410
    assert site.get("user-data").status == 404
    assert site.report("modules-final", "finish", result="SUCCESS").status == 200


def test_a_ticket_without_documents_gives_no_secrets(site: Site) -> None:
    assert site.post("swap").status == 410


def test_a_later_boots_documents_end_an_earlier_ticket_and_until_then_it_is_good(site: Site) -> None:
    site.get("user-data")
    installed, receipt = site.ticket, site.swap()["receipt"]
    site.web.boots(MAC, Stage.INITRAMFS, Firmware.RASPBERRY_PI)
    site.boot()
    site.ticket, fresh = installed, site.ticket
    assert site.swap()["receipt"] == receipt
    site.ticket = fresh
    assert site.get("user-data").status == 200
    site.ticket = installed
    assert site.post("swap").status == 410
    assert site.post("stored", {"receipt": receipt}).status == 410
    assert site.get("meta-data").status == 404


def test_another_machine_gets_nothing_for_a_ticket_and_that_is_recorded(site: Site) -> None:
    site.get("user-data")
    site.web.neighbours[CLIENT] = OTHER
    with capture_logs() as logs:
        found = [site.get(name) for name in DOCUMENTS]
        found += [site.post(path, {"receipt": "x", "name": "x"}) for path in ("swap", "stored", "report")]
        found += [site.phones()]
    assert {one.status for one in found} == {403}
    assert all("belongs to another machine" in one.text for one in found)
    assert set(refused(logs)) <= {*DOCUMENTS, "swap", "stored", "report", "phone-home"}
    assert refused(logs)
    events = site.web.call(_events(site))
    assert events.count(Happening.UNTRUSTED) == len(found)


async def _events(site: Site) -> list[object]:
    return [event.stage for event in site.web.inventory._memory._pending._events]


def test_what_is_no_ticket_gives_nothing(site: Site) -> None:
    for ticket in ("x" * 48, "short"):
        site.ticket = ticket
        assert {site.get(name).status for name in DOCUMENTS} == {404}
        assert site.post("swap").status == 404
    site.boot()
    assert site.web.get(f"{site.base}/other").status == 404
    assert site.web.get(f"{site.base}/swap").status == 405


def test_a_simulated_machine_gets_nothing(site: Site) -> None:
    assert site.get("user-data", User_Agent=SIMULATED.decode()).status == 404


def test_one_that_waits_for_its_turn_is_told_for_what_and_asked_again(site: Site) -> None:
    site.get("user-data")
    site.cluster.told = None
    with capture_logs() as logs:
        response = site.post("swap")
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert "ainur-09, which founds it, is off" in response.text
    assert [line["why"] for line in logs if line["event"] == "k3s.waits"]
    assert site.cluster.refusals.problem is None
    site.cluster.told = K3sPart.JOIN_SERVER
    files = {one["path"]: one["text"] for one in site.swap()["files"]}
    assert files[JOIN] == 'server: "https://api.ainur.lab.home.arpa:6443"\n'


def test_what_keeps_a_configuration_from_being_made_is_told_and_over_once_it_is_made(site: Site) -> None:
    site.cluster.trouble = "this host has no key"
    response = site.get("user-data")
    assert (response.status, "this host has no key" in response.text) == (503, True)
    assert site.machine.seed.boot == 0
    assert "this host has no key" in (site.cluster.refusals.problem or "")
    site.cluster.trouble = ""
    assert site.get("user-data").status == 200
    assert site.cluster.refusals.problem is None


async def _tries_again(site: Site) -> None:
    await TryingAgain(site.web.booter)._try(site.cluster.refusals.all[0])


def test_it_is_found_out_that_it_is_over_although_the_machine_does_not_ask_again(site: Site) -> None:
    site.cluster.trouble = "this host has no key"
    site.get("user-data")
    site.web.call(_tries_again(site))
    assert site.cluster.refusals.problem
    site.cluster.trouble = ""
    site.web.call(_tries_again(site))
    assert site.cluster.refusals.problem is None
    assert site.machine.seed.boot == 0


def test_a_machine_that_its_owner_holds_or_that_has_no_place_gets_nothing(site: Site) -> None:
    site.get("user-data")
    held = fleet_of(("ainur-01", MAC, "layer: ainur\nrole: server\nintent: hold\n"), ainur=LAYER)
    for fleet in (held, fleet_of(ainur=LAYER)):
        site.web.booter.applied.fleet = fleet
        assert {site.get("user-data").status, site.post("swap").status} == {404}
    site.web.booter.applied.fleet = FLEET
    assert site.get("user-data").status == 200


def test_phone_home_in_anothers_name_is_refused_and_ones_own_is_no_stage(site: Site) -> None:
    site.get("user-data")
    before = site.machine
    assert site.phones().status == 200
    assert site.machine == before
    with capture_logs() as logs:
        answers = [
            site.phones(hostname="ainur-02"),
            site.phones(instance_id="iluvatar-1"),
            site.phones(hostname=""),
        ]
    assert [one.status for one in answers] == [403, 403, 403]
    assert "'ainur-02'" in answers[0].text
    assert refused(logs)
    assert site.web.call(_events(site)).count(Happening.UNTRUSTED) == 1  # once in a boot


def test_reports_become_the_boots_stages_and_faults(site: Site) -> None:
    site.get("user-data")
    assert site.report("init-network", "start", origin="cloudinit").status == 200
    assert site.told == (1, Stage.STARTED)
    clock = "the clock says 1970-01-01, before the cluster was made on 2026-11-01; start a daemon"
    site.report("k3s", "finish", origin="iluvatar", result="FAIL", description=clock)
    assert site.machine.report.faults == (f"k3s: {clock}",)
    site.report("modules-final", "finish", origin="cloudinit", result="SUCCESS")
    assert site.told == (1, Stage.RUNNING)
    site.report("init-local", "start", origin="cloudinit")
    assert site.told == (2, Stage.STARTED)


@pytest.mark.parametrize("body", [b"", b"nothing", b"[]", b'{"name": 1}', b"\xff", b'{"a":' * 30000])
def test_what_is_no_report_is_refused(site: Site, body: bytes) -> None:
    assert site.web.post(f"{site.base}/report", body).status == 400
