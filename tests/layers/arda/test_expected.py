"""Who answers at a machine's address: the machine, another one, or one that only has its name."""

from uuid import UUID

import pytest
from support.fleets import fleet_of, talos
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.layers.arda.expected import Expected, Who, expected_machines

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
FIRST, SECOND = (
    UUID(int=0x11223344_5566_7788_99AA_BBCCDDEEFF01),
    UUID(int=0x11223344_5566_7788_99AA_BBCCDDEEFF02),
)
NAMES = frozenset({"one", "two"})
KNOWN = Who(name="one", macs=frozenset({MAC}), uuid=FIRST)


def told(name: str, *macs: str, uuid: UUID | None = None) -> Who:
    return Who(name=name, macs=frozenset(macs), uuid=uuid)


@pytest.mark.parametrize(
    ("known", "answers"),
    [
        (KNOWN, told("one", MAC)),
        (KNOWN, told("one", OTHER, uuid=FIRST)),  # whose NIC was replaced
        (KNOWN, told("one", MAC, uuid=SECOND)),  # whose board was
        (KNOWN, told("former", MAC)),  # until it is installed again
        (told("one"), told("one", OTHER, uuid=SECOND)),  # of which nothing else is known
    ],
)
def test_it_is_the_machine(known: Who, answers: Who) -> None:
    assert Expected(known, NAMES).instead(answers) == ""


@pytest.mark.parametrize(
    ("known", "answers", "who"),
    [
        (KNOWN, told("two", OTHER), "two"),
        (KNOWN, told("two", MAC), "two"),  # a NIC by USB that the other one has by now
        (KNOWN, told("former", OTHER), "former"),
        (KNOWN, told("former", OTHER, uuid=FIRST), "former"),  # a UUID may be that of many machines
        (KNOWN, told("", OTHER), "a machine without a host name"),
        (KNOWN, told("one", OTHER, uuid=SECOND), f"calls itself one, with UUID {SECOND} instead of {FIRST},"),
        (KNOWN, told("one", OTHER), f"with the NICs {OTHER} instead of {MAC},"),
        (told("one"), told("two"), "two"),
    ],
)
def test_it_is_another_one(known: Who, answers: Who, who: str) -> None:
    assert who in Expected(known, NAMES).instead(answers)


def test_machines_are_known_by_their_files_and_by_what_was_seen_of_them() -> None:
    fleet = fleet_of(talos("one", MAC), talos("two", OTHER))
    known = expected_machines(snapshot_of(machine_of(OTHER, uuid=SECOND)), fleet)
    assert known["one"] == Expected(Who(name="one", macs=frozenset({MAC})), NAMES)
    assert known["two"].who.uuid == SECOND
