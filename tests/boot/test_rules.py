"""Which rule speaks of a machine, and why the others do not."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.boot.rules import Asker, matching_rule, may_match, title, why_not
from iluvatar_pxe.fleet.fields.globs import FIRMWARE
from iluvatar_pxe.fleet.models import Rule
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch

OPTIPLEX = Asker(
    macs=("52:54:00:12:34:56", "52:54:00:12:34:57"),
    board="0YJPT1",
    arch=CpuArch.X86_64,
    manufacturer="Dell Inc.",
    product="OptiPlex 7060",
    serial="JX31PX2",
    firmware=Firmware.UEFI_PXE,
    address=IPv4Address("192.168.1.20"),
)
SILENT = Asker(macs=("52:54:00:12:34:56",))


def rule_of(match: dict[str, Any], **keys: Any) -> Rule:
    return Rule.model_validate({"match": match, "layer": "arda", **keys})


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, ""),
        ({"mac": "52:54:00"}, ""),
        ({"mac": "*:57"}, ""),
        ({"mac": ["00:1a:2b", "52-54-00-12-34-57"]}, ""),
        ({"mac": "00:1A"}, "mac is '52:54:00:12:34:56' or '52:54:00:12:34:57', not '00:1a*'"),
        ({"board": "0yjpt?"}, ""),
        ({"arch": "X86_64"}, ""),
        ({"arch": ["arm64", "i386"]}, "arch is 'x86_64', not 'arm64' or 'i386'"),
        ({"manufacturer": "dell*"}, ""),
        ({"manufacturer": "Dell"}, "manufacturer is 'Dell Inc.', not 'Dell'"),
        ({"product": ["ThinkCentre*", "OptiPlex*"]}, ""),
        ({"product": "ThinkCentre*"}, "product is 'OptiPlex 7060', not 'ThinkCentre*'"),
        ({"serial": "JX31PX2"}, ""),
        ({"firmware": "uefi-*"}, ""),
        ({"firmware": "bios-pxe"}, "firmware is 'uefi-pxe', not 'bios-pxe'"),
        ({"subnet": "192.168.1.0/24"}, ""),
        ({"subnet": ["10.0.0.0/8", "192.168.0.0/16"]}, ""),
        ({"subnet": ["10.0.0.0/8"]}, "address is '192.168.1.20', not '10.0.0.0/8'"),
        ({"arch": "x86_64", "product": "OptiPlex*", "subnet": "192.168.1.20"}, ""),
        ({"arch": "x86_64", "product": "A*"}, "product is 'OptiPlex 7060', not 'A*'"),
    ],
)
def test_every_key_has_to_match_by_any_of_its_patterns(match: dict[str, Any], expected: str) -> None:
    rule = rule_of(match)
    assert why_not(rule, OPTIPLEX) == expected
    assert matching_rule([rule], OPTIPLEX) == (None if expected else (1, rule))


@pytest.mark.parametrize("key", ["board", "arch", "manufacturer", "product", "serial", "firmware"])
def test_what_a_machine_has_not_told_is_no_match(key: str) -> None:
    pattern = {"arch": "x86_64", "firmware": "ipxe"}.get(key, "A*")
    assert why_not(rule_of({key: pattern}), SILENT) == f"{key} is not known yet, and '{pattern}' is required"
    assert why_not(rule_of({key: "*"}), SILENT) == ""


def test_without_an_address_no_subnet_matches() -> None:
    rule = rule_of({"subnet": "0.0.0.0/0"})
    assert why_not(rule, SILENT) == "address is not known yet, and '0.0.0.0/0' is required"


@pytest.mark.parametrize(
    ("match", "open_to_silent", "open_to_optiplex"),
    [
        ({"subnet": "192.168.1.0/24"}, True, True),
        ({"subnet": ["10.0.0.0/8", "172.16.0.0/12"]}, True, False),
        ({"subnet": "10.0.0.0/8", "arch": "arm64"}, True, False),
        ({"subnet": "10.0.0.0/8", "mac": "00:1a"}, False, False),
        ({"product": "Opti*"}, True, True),
        ({"product": "Lati*"}, True, False),
        ({}, True, True),
    ],
)
def test_what_is_not_known_yet_may_still_match(
    match: dict[str, Any], *, open_to_silent: bool, open_to_optiplex: bool
) -> None:
    rule = rule_of(match)
    assert may_match(rule, SILENT) == open_to_silent
    assert may_match(rule, OPTIPLEX) == open_to_optiplex


def test_the_first_that_matches_counts() -> None:
    rules = [rule_of({"arch": "arm64"}), rule_of({"product": "Opti*"}), rule_of({})]
    assert matching_rule(rules, OPTIPLEX) == (2, rules[1])
    assert matching_rule(rules, SILENT) == (3, rules[2])
    assert matching_rule(rules[:1], OPTIPLEX) is None
    assert matching_rule([], OPTIPLEX) is None


def test_a_rule_is_called_by_its_number_and_name() -> None:
    assert title(2, rule_of({}, name="x86 machines")) == 'rule 2 "x86 machines" of fleet.yaml'
    assert title(1, rule_of({})) == "rule 1 of fleet.yaml"


TEXTS = st.text(max_size=8) | st.sampled_from(["", "Dell Inc.", "OptiPlex 7060", "[", "*"])
GLOBS = st.lists(TEXTS.filter(bool), min_size=1, max_size=2)
ASKERS = st.builds(
    Asker,
    macs=st.lists(TEXTS, max_size=3).map(tuple),
    board=TEXTS,
    arch=st.none() | st.sampled_from(CpuArch),
    manufacturer=TEXTS,
    product=TEXTS,
    serial=TEXTS,
    firmware=st.none() | st.sampled_from(Firmware),
    address=st.none() | st.ip_addresses(v=4),
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "mac": st.sampled_from(["52:54:00", "*:5e", "*"]),
        **dict.fromkeys(("board", "manufacturer", "product", "serial"), GLOBS),
        "arch": st.sampled_from([arch.value for arch in CpuArch]),
        "firmware": st.sampled_from([one.value for one in FIRMWARE]),
        "subnet": st.sampled_from(["10.0.0.0/8", "0.0.0.0/0"]),
    },
)


@given(st.lists(MATCHES.map(rule_of), max_size=5), ASKERS)
def test_whatever_a_machine_tells_the_first_rule_without_an_objection_matches(
    rules: list[Rule], asker: Asker
) -> None:
    objections = [why_not(rule, asker) for rule in rules]
    expected = next((number for number, why in enumerate(objections, 1) if not why), None)
    matching = matching_rule(rules, asker)
    assert (matching[0] if matching else None) == expected
    assert matching is None or matching[1] is rules[matching[0] - 1]
