"""Values that firmware leaves unfilled, and those that only look like it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.machines.hardware import BOGUS_SERIALS, BOGUS_UUIDS, Bogus, is_bogus_serial, is_bogus_uuid
from iluvatar_pxe.printable import plain_text


@pytest.mark.parametrize("row", BOGUS_UUIDS, ids=lambda row: row.value)
def test_every_row_is_a_bogus_uuid_in_both_byte_orders(row: Bogus) -> None:
    uuid = UUID(row.value)
    assert is_bogus_uuid(uuid)
    assert is_bogus_uuid(UUID(bytes=uuid.bytes_le))


@pytest.mark.parametrize("row", BOGUS_SERIALS, ids=lambda row: row.value)
def test_every_row_is_a_bogus_serial_however_written(row: Bogus) -> None:
    for text in (row.value, row.value.upper(), row.value.lower(), f"  {row.value} ", f"{row.value}."):
        assert is_bogus_serial(text)


@pytest.mark.parametrize("rows", [BOGUS_UUIDS, BOGUS_SERIALS])
def test_rows_are_there_once_and_have_a_source(rows: tuple[Bogus, ...]) -> None:
    assert len({row.value.lower() for row in rows}) == len(rows)
    assert all(row.source for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "ffffff00-ffff-ffff-ffff-ffffffffffff",
        "01010101-0101-0101-0101-010101010101",
        "58585858-5858-5858-5858-585858585858",
        "fefefefe-fefe-fefe-fefe-fefefefefefe",
    ],
)
def test_memory_that_nobody_wrote(text: str) -> None:
    assert is_bogus_uuid(UUID(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "03de0294-0480-0506-f806-d50700080009", id="AMI's sample with a MAC in it (go-smbios#8)"
        ),
        pytest.param(
            "00000000-0000-0000-0000-002590c7c000", id="nothing but a MAC (OCSInventory UnixAgent#120)"
        ),
        pytest.param("4c4c4544-0051-3410-8051-b5c04f375931", id="Dell's service tag (dasharo-issues#155)"),
        pytest.param("31393138-3538-5a43-3135-353130323750", id="HP's product and serial number in ASCII"),
        pytest.param("2961ecf6-7e94-488d-ae0d-e427123078b3", id="random"),
    ],
)
def test_uuids_that_tell(text: str) -> None:
    assert not is_bogus_uuid(UUID(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "0",
        "00000000",
        "xxxxxxxxxxx",
        "............",
        "-------------",
        "?",
        "0-0-0",
        "to be filled by oem",
        "Default_string",
        "DEFAULT STRING",
        "n/a",
        "NA",
    ],
)
def test_serials_that_tell_nothing(text: str) -> None:
    assert is_bogus_serial(text)


@pytest.mark.parametrize(
    "text",
    ["CZ1551027P", "5Q4Q7Y1", "/5Q4Q7Y1/CN7220036H04QB/", "M80-5B020501684", "01", "1234567891", "None1"],
)
def test_serials_that_tell(text: str) -> None:
    assert not is_bogus_serial(text)


@given(st.binary(min_size=1, max_size=40))
def test_a_serial_of_another_encoding_is_judged_by_what_is_left_of_it(octets: bytes) -> None:
    text = plain_text(octets.decode("utf-16", "replace"))
    assert is_bogus_serial(text) or any(letter.isalnum() for letter in text)


@given(st.uuids())
def test_the_byte_order_does_not_matter(uuid: UUID) -> None:
    assert is_bogus_uuid(uuid) == is_bogus_uuid(UUID(bytes=uuid.bytes_le))


@given(st.uuids(version=4))
def test_no_random_uuid_is_bogus(uuid: UUID) -> None:
    assert not is_bogus_uuid(uuid)
