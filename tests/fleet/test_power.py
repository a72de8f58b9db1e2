"""``power:`` in a machine's file."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.power import Power
from iluvatar_pxe.fleet.sealed import ARMOR

SEALED = {"secrets/bmc.age": f"{ARMOR}\n", "open.txt": "username: ada\n"}
PRINT = "A1" * 32
REDFISH = "redfish: {url: 'https://bmc-1.lan', credentials: secrets/bmc.age}"
PLUG = "on: {url: 'http://plug/on'}, off: {url: 'http://plug/off'}"


def with_power(lines: str) -> Fleet:
    return fleet_of(("one", "52:54:00:00:00:01", f"power:\n  {lines}\n"), **SEALED)


def power_of(lines: str) -> Power:
    (machine,) = with_power(lines).listed
    assert machine.file.power
    return machine.file.power


@pytest.mark.parametrize(
    ("lines", "kind", "sets_boot"),
    [
        (REDFISH, "redfish", True),
        (f"redfish: {{url: 'https://[fd00::4]:8443/', credentials: secrets/bmc.age, fingerprint: {PRINT}}}", "redfish", True),
        ("ipmi: {host: 192.168.1.40, credentials: secrets/bmc.age}", "ipmi", True),
        ("ipmi: {host: 'fd00::4', port: 6230, credentials: secrets/bmc.age}", "ipmi", True),
        ("command: {program: poe-switch, arguments: [port, '7']}", "command", False),
        (f"webhook: {{{PLUG}}}", "webhook", False),
        (f"webhook: {{{PLUG}, network: {{url: 'https://plug:65535/x?y=z', method: PUT, body: '{{}}'}}}}", "webhook", True),
    ],
)  # fmt: skip
def test_one_way_is_named(lines: str, kind: str, sets_boot: bool) -> None:  # noqa: FBT001
    power = power_of(lines)
    assert (power.kind, power.sets_boot) == (kind, sets_boot)
    assert getattr(power, kind) is power.way


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("{}", "write one of redfish, ipmi, command and webhook"),
        ("", "selects nothing"),
        (f"{REDFISH}\n  command: {{program: x}}", "write one of redfish, ipmi"),
        (REDFISH.replace("https", "http"), "write https:// and the BMC's name"),
        (REDFISH.replace("bmc-1", "ada:pw@bmc"), "write https:// and the BMC's name"),
        (REDFISH.replace(".lan", ".lan:65536"), "write https:// and the BMC's name"),
        (f"webhook: {{{PLUG.replace('plug/on', 'plug:0/on')}}}", "write a URL such as"),
        (REDFISH.replace("secrets/bmc.age", "open.txt"), "fleet seal open.txt"),
        (REDFISH.replace("secrets/bmc.age", "none.txt"), "none.txt is no text file of the fleet"),
        (REDFISH.replace("}", ", ca: none.pem}"), "none.pem is no text file of the fleet"),
        (REDFISH.replace("}", f", fingerprint: {PRINT}, ca: open.txt}}"), "one of fingerprint and ca"),
        (REDFISH.replace("}", ", fingerprint: 'A1:B2'}"), "SHA-256 fingerprint"),
        ("ipmi: {host: -H, credentials: secrets/bmc.age}", "write a name or an address"),
        ("ipmi: {host: bmc}", "credentials: is missing"),
        ("command: {program: ../sh}", "write the name of a program"),
        ('command: {program: x, arguments: ["a\\nb"]}', "write a text of one line"),
        ("webhook: {on: {url: 'http://plug/on'}}", "off: is missing"),
        (f"webhook: {{{PLUG}, status: {{url: 'ftp://plug', whenOn: a, whenOff: b}}}}", "write a URL such as"),
        (f"webhook: {{{PLUG}, status: {{url: 'http://p', whenOn: 'on', whenOff: 'not on'}}}}", "in each other"),
    ],
)  # fmt: skip
def test_what_cannot_switch_or_would_tell_a_password_is_refused(lines: str, why: str) -> None:
    with pytest.raises(FleetError, match=r"machines/one\.yaml:\d+: power") as refused:
        with_power(lines)
    assert why in str(refused.value)
