"""Redfish as the emulator of sushy-tools speaks it, by TLS and with a password."""

from collections.abc import Iterator

import pytest
from support.bmcs import Emulator, redfish_emulator
from support.power import LOGIN, power_with, switch

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.power.action import Action


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with redfish_emulator(tmp_path_factory.mktemp("redfish")) as made:
        yield made


async def test_a_machine_is_switched_and_boots_from_the_network(emulator: Emulator) -> None:
    power, way = power_with(), emulator.way
    assert await switch(power, way, Action.STATUS) == "off"
    # It is off, so that it is only switched on.
    assert await switch(power, way, Action.CYCLE, Action.STATUS) == "on"
    await switch(power, way, Action.NETWORK, Action.CYCLE)
    assert await switch(power, way, Action.OFF, Action.STATUS) == "off"
    assert [line.partition(" ")[0] for line in emulator.told] == ["POST", "PATCH", "POST", "POST"]


@pytest.mark.parametrize(
    ("changes", "texts", "why"),
    [
        ({}, {"bmc": "username: ada\npassword: wrong\n"}, "refuses the user, or the password"),
        ({"fingerprint": None}, LOGIN, r"its certificate is not known \(SHA-256 [0-9A-F:]{95}\); if that is"),
        (
            {"fingerprint": "00" * 32},
            LOGIN,
            r"its certificate is another than the one of 'fingerprint' \(SHA",
        ),
        ({"system": "/redfish/v1/Systems/x"}, LOGIN, "has no such resource; correct the key 'system'"),
    ],
)
async def test_what_is_not_as_the_file_says_is_one_line(
    emulator: Emulator, changes: dict[str, str], texts: dict[str, str], why: str
) -> None:
    way = {"redfish": {**emulator.way["redfish"], **changes}}  # type: ignore[dict-item]
    before = emulator.told
    with pytest.raises(PowerError, match=f"^one: power on by redfish: {why}"):
        await switch(power_with(texts), way, Action.ON)
    assert emulator.told == before


async def test_a_certificate_is_known_by_the_ca_that_signed_it(emulator: Emulator) -> None:
    pem = emulator.given.certificate.read_text()
    way = {"redfish": {"url": emulator.url, "credentials": "bmc", "ca": "ca.pem"}}
    assert await switch(power_with({**LOGIN, "ca.pem": pem}), way, Action.STATUS) in {"on", "off"}
    with pytest.raises(PowerError, match="the file of the key 'ca' has no certificate in PEM"):
        await switch(power_with({**LOGIN, "ca.pem": "none"}), way, Action.STATUS)
