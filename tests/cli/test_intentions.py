"""What is said before anybody is answered."""

from ipaddress import IPv4Address, IPv4Network
from typing import Literal

import pytest
from support.fleets import ARDA, fleet_of

from iluvatar_pxe.cli.intentions import intentions
from iluvatar_pxe.host.interfaces import Interface

ETH0 = Interface("eth0", 2, IPv4Address("192.168.1.2"), IPv4Network("192.168.1.0/24"))
RULES = (
    "rules: [{name: PCs, match: {arch: x86_64}, layer: arda}, {match: {mac: '52:54:00'}, intent: local}]\n"
)
BY_RULES = ['  rule 1 "PCs" of fleet.yaml: layer arda', "  rule 2 of fleet.yaml: intent local"]
DISK = "- A machine that cannot join waits for 30 s, and then boots its own disk."


def said(
    lines: str = RULES, dhcp: Literal["proxy", "observe", "off"] = "proxy", window: float = 0.0
) -> list[str]:
    fleet = fleet_of(("nas", "52:54:00:00:00:01", "intent: local\n"), fleet=lines, arda=ARDA)
    return intentions(dhcp, [ETH0], fleet, window)


def test_who_gets_an_answer_and_what_becomes_of_the_others() -> None:
    assert said() == [
        "On eth0 (192.168.1.2), machines that boot from the network are answered.",
        "- Machines that the fleet lists (1) boot what it says.",
        "- Others cannot join: the enrolment window is closed.",
        *BY_RULES,
        DISK,
    ]


@pytest.mark.parametrize(
    ("mode", "window", "line"),
    [
        ("window", 3600.4, "- Others may join, for 1 h more, by the rules."),
        ("window", 0.0, "- Others cannot join: the enrolment window is closed."),
        ("join", 3600.0, "- Others may join, by the rules (mode join)."),
        ("join", 0.0, "- Others may join as worker or agent, by the rules (mode join)."),
        ("hold", 60.0, "- Others wait until they are listed, if a rule gives them a layer (mode hold)."),
        ("ignore", 60.0, "- Others get no answer (mode ignore)."),
    ],
)
def test_who_may_join(mode: str, window: float, line: str) -> None:
    lines = said(f"enrolment: {{mode: {mode}, wait: 45}}\n", window=window)
    assert lines[2] == line
    assert (DISK.replace("30", "45") in lines) == (mode in {"window", "join"})
    unmatched = "- A machine that no rule gives a layer waits for 45 s, then boots its disk."
    assert (unmatched in lines) == (mode == "hold")


def test_where_nobody_is_answered_that_is_said_first() -> None:
    lines = said(dhcp="observe")
    assert lines[0].startswith("On eth0 (192.168.1.2), no machine gets an answer to DHCP")
    assert lines[2:] == said()[1:]
    assert said(dhcp="off") == ["On eth0 (192.168.1.2), no machine gets an answer to DHCP (dhcp = off)."]


def test_every_line_fits_a_terminal() -> None:
    assert max(map(len, said(dhcp="observe", window=60.0))) < 80
