"""What tells machines apart, and what does not: bogus values, either byte order, gaps."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.machines import machine_of

from iluvatar_pxe.machines.hardware import (
    BOGUS_SERIALS,
    BOGUS_UUIDS,
    agreement,
    contradiction,
    hardware_of,
    same_uuid,
    swapped,
)
from iluvatar_pxe.machines.model import Machine

MAC = "52:54:00:12:34:56"
REAL, OTHER = UUID("03de0294-0480-0506-f806-d50700080009"), UUID("2961ecf6-7e94-488d-ae0d-e427123078b3")
AS_WRITTEN = UUID("9402de03-8004-0605-f806-d50700080009")
"""REAL as a PXE ROM printed it before iPXE spoke (siderolabs/go-smbios#8)."""
BOGUS_UUID, BOGUS_SERIAL = UUID(BOGUS_UUIDS[0].value), BOGUS_SERIALS[0].value


def told(uuid: UUID | None = REAL, serial: str = "CZ1", product: str = "EliteDesk") -> Machine:
    return machine_of(MAC, uuid=uuid, serial=serial, product=product)


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(told(uuid=None), id="no UUID"),
        pytest.param(told(uuid=BOGUS_UUID), id="bogus UUID"),
        pytest.param(told(uuid=swapped(BOGUS_UUID)), id="bogus UUID in the other byte order"),
        pytest.param(told(serial=""), id="no serial number"),
        pytest.param(told(serial=BOGUS_SERIAL), id="bogus serial number"),
        pytest.param(told(product=""), id="no product"),
    ],
)
def test_hardware_needs_all_three(machine: Machine) -> None:
    assert hardware_of(told()) is not None
    assert hardware_of(machine) is None


def test_the_other_byte_order_is_the_same_hardware() -> None:
    assert swapped(REAL) == AS_WRITTEN
    assert hardware_of(told(uuid=AS_WRITTEN)) == hardware_of(told())
    assert contradiction(told(), told(uuid=AS_WRITTEN)) == ""


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        pytest.param(told(), told(), "", id="the same"),
        pytest.param(told(), told(product="ProDesk"), "", id="another product text: firmware was updated"),
        pytest.param(told(), told(uuid=OTHER), f"UUID {OTHER} instead of {REAL}", id="another UUID"),
        pytest.param(
            told(), told(serial="CZ2"), "serial number CZ2 instead of CZ1", id="another serial number"
        ),
        pytest.param(told(), told(uuid=None, serial=""), "", id="nothing told"),
        pytest.param(told(uuid=None, serial=""), told(), "", id="nothing known"),
        pytest.param(told(), told(uuid=BOGUS_UUID, serial=BOGUS_SERIAL), "", id="only bogus told"),
        pytest.param(
            told(uuid=BOGUS_UUID), told(serial="CZ2"), "serial number CZ2 instead of CZ1", id="mixed"
        ),
    ],
)
def test_what_speaks_against_one_machine(one: Machine, other: Machine, why: str) -> None:
    assert contradiction(one, other) == why


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        pytest.param(told(), told(), True, id="the same"),
        pytest.param(told(serial=""), told(uuid=AS_WRITTEN), True, id="the UUID, in the other byte order"),
        pytest.param(told(uuid=None), told(uuid=BOGUS_UUID), True, id="the serial number"),
        pytest.param(told(serial=""), told(uuid=OTHER, serial=""), False, id="neither"),
        pytest.param(told(None, ""), told(None, ""), False, id="nothing to compare"),
        pytest.param(
            told(BOGUS_UUID, BOGUS_SERIAL), told(BOGUS_UUID, BOGUS_SERIAL), False, id="only bogus values"
        ),
    ],
)
def test_what_speaks_for_one_machine(one: Machine, other: Machine, agree: bool) -> None:  # noqa: FBT001
    assert agreement(one, other) is agreement(other, one) is agree


@given(st.uuids(), st.uuids())
def test_the_byte_order_is_symmetric(one: UUID, other: UUID) -> None:
    assert swapped(swapped(one)) == one
    assert same_uuid(one, swapped(one))
    assert same_uuid(one, other) == same_uuid(other, one) == same_uuid(swapped(one), other)


MACHINES = st.builds(
    told,
    st.sampled_from([None, REAL, AS_WRITTEN, OTHER, BOGUS_UUID]),
    st.sampled_from(["", "CZ1", "CZ2", BOGUS_SERIAL]),
    st.sampled_from(["", "EliteDesk", "ProDesk"]),
)


@given(MACHINES, MACHINES)
def test_equal_hardware_never_contradicts_itself(one: Machine, other: Machine) -> None:
    assert bool(contradiction(one, other)) == bool(contradiction(other, one))
    if hardware_of(one) and hardware_of(one) == hardware_of(other):
        assert not contradiction(one, other)
        assert agreement(one, other)
