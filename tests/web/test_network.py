"""The page *Network* as HTML."""

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address
from uuid import UUID

from admin.samples import FLEET, PLAIN
from support.hostile import QUOTES, SCRIPT
from support.html import Page

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.network import MOST_UNKNOWN, server_data, unknown_data
from iluvatar_pxe.cli.network import network_lines
from iluvatar_pxe.machines.dhcp_servers import DhcpServers, Heard
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.values import replace
from iluvatar_pxe.web.api.answers import DhcpServer, Network, UnknownClient
from iluvatar_pxe.web.pages.network import page_of
from iluvatar_pxe.web.render import Renderer

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DNS: Data = {
    "answers": {"own": 1234, "cached": 5},
    "remembered": {"entries": 7, "octets": 2100, "outstanding": 0},
    "connections": 2,
    "upstreams": {"9.9.9.9": {"asked": 10, "answered": 9, "failed": 1, "ms": 12.5}},
}
HEALTH: Data = {
    "parts": {"dhcp": "ok", "assets": f"no room {SCRIPT}"},
    "boot": [f"kernel is missing {SCRIPT}"],
    "clusters": [],
    "time": [],
    "network": [],
    "notifications": [],
    "programs": {},
    "dns": DNS,
}


def network(*heard: Heard, machines: tuple[Machine, ...] = ()) -> Data:
    servers = DhcpServers()
    for one in heard:
        servers.take("eth0", one, IPv4Address("10.0.0.2"), NOW)
    return {"dhcp_servers": [server_data(one) for one in servers.all], **unknown_data(machines, FLEET)}


def page(told: Data, health: Data = HEALTH) -> Page:
    return Page(Renderer().text("network.html", **told, **page_of(health)))


ROUTER = Heard(address=IPv4Address("10.0.0.1"), gives_addresses=True)
RIVAL = Heard(
    address=IPv4Address("10.0.0.9"), boots=True, boot_file=SCRIPT, boot_server=IPv4Address("10.0.0.9")
)


def test_a_server_too_many_stands_above_the_others() -> None:
    told = network(ROUTER, RIVAL)
    shown = page(told)
    assert not any(shown.texts("script"))
    (why,) = shown.texts("p", **{"class": "problem"})
    assert why.startswith(f"10.0.0.9 on eth0 offers {SCRIPT} to boot; ")
    assert [one.text for one in shown.all("span", **{"class": "status bad"})][:1] == ["10.0.0.9"]
    assert f"{SCRIPT} from 10.0.0.9" in shown.texts("td")
    lines = list(network_lines(told, NOW, None))
    assert [line.split()[0] for line in lines] == ["DHCP", "10.0.0.1", "10.0.0.9", "10.0.0.9"]
    assert "gives addresses" in lines[1]
    assert lines[3] == why


def test_the_api_describes_what_is_told() -> None:
    told = network(ROUTER, RIVAL, machines=(PLAIN,))
    assert json.loads(json.dumps(told)) == told
    Network.model_validate(told)
    for model, found in (
        (Network, told),
        (DhcpServer, told["dhcp_servers"][0]),
        (UnknownClient, told["unknown"][0]),
    ):
        assert found.keys() == model.model_fields.keys()


def test_clients_that_nobody_knows() -> None:
    strange = replace(PLAIN, manufacturer=SCRIPT, product=QUOTES)
    shown = page(network(machines=(strange,)))
    assert f"{SCRIPT} {QUOTES}" in shown.texts("td")
    assert not any(shown.texts("script"))
    assert "1 machine without a name asked for a boot." in shown.texts("p")
    assert shown.all("a", href=f"/machines/{PLAIN.id}")
    many = network(machines=tuple(replace(PLAIN, id=UUID(int=one)) for one in range(MOST_UNKNOWN + 1)))
    assert "these are the last ones" in " ".join(page(many).texts("p"))
    assert (
        list(network_lines(many, NOW, None))[-1]
        == "and 1 more unknown machines: iluvatar-pxe machines list --all"
    )


def test_nothing_was_heard_and_dns_is_off() -> None:
    told = network()
    shown = page(told, HEALTH | {"dns": {}})
    assert "Every machine that was seen has a name." in shown.texts("p")
    assert "The DNS server is switched off." in shown.texts("p")
    assert list(network_lines(told, NOW, None)) == ["No other DHCP server was heard yet."]


def test_dns_has_its_figures_and_check_its_faults_first() -> None:
    shown = page(network())
    assert shown.texts("dd", **{"class": "number"}) == ["1,234", "5", "2"]
    assert {"Own names", "From memory"} <= set(shown.texts("dt"))
    assert "7 answers, 2.1 kB" in shown.texts("dd")
    assert "12.5 ms" in shown.texts("td")
    lines = [one.text for one in shown.all("span") if one.attributes["class"].startswith("status")]
    assert lines == [f"no room {SCRIPT}", f"kernel is missing {SCRIPT}", "ok"]
