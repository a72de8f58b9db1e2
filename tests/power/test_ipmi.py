"""IPMI 2.0 as OpenIPMI's simulator speaks it, with ipmitool."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bmcs import Chassis, ipmi_simulator
from support.ports import free_port
from support.power import LOGIN, power_with, switch
from support.waiting import until

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.power.action import Action


@pytest.fixture
def chassis(tmp_path: Path) -> Iterator[Chassis]:
    with ipmi_simulator(tmp_path) as made:
        yield made


async def test_a_machine_is_switched_and_boots_from_the_network(chassis: Chassis) -> None:
    power, way = power_with(), chassis.way
    assert await switch(power, way, Action.STATUS) == "off"
    assert await switch(power, way, Action.CYCLE) == ""  # it is off, so that it is only switched on
    assert await switch(power, way, Action.STATUS) == "on"
    assert chassis.log == ["set power 1"]
    await switch(power, way, Action.NETWORK, Action.CYCLE, is_uefi=False)
    await until(lambda: len(chassis.log) > 3)
    assert chassis.log[1:] == ["set boot pxe", "set power 0", "set power 1"]
    await switch(power, way, Action.OFF)
    assert await switch(power, way, Action.STATUS) == "off"


async def test_the_boot_device_is_set_for_the_kind_of_firmware(chassis: Chassis, tmp_path: Path) -> None:
    tool = tmp_path / "ipmitool"
    tool.write_text(
        f'#!/bin/sh\necho "$@" >{tmp_path}/arguments; cat "$(echo "$@" | sed "s/.*-f //; s/ .*//")" >{tmp_path}/file\n'
    )
    tool.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        await switch(power_with(), chassis.way, Action.NETWORK)
    arguments = (tmp_path / "arguments").read_text()
    assert arguments.endswith("chassis bootdev pxe options=efiboot\n")
    assert "s3cret" not in arguments
    assert (tmp_path / "file").read_text() == "s3cret\n"


@pytest.mark.parametrize("password", ["wrong", "x" * 21])
async def test_a_wrong_password_is_one_line(chassis: Chassis, password: str) -> None:
    texts = {"bmc": f"username: ada\npassword: {password}\n"}
    with pytest.raises(PowerError, match="one: power on by ipmi: ") as failed:
        await switch(power_with(texts), chassis.way, Action.ON)
    said = str(failed.value)
    assert "are its address, user and password right" in said or "at most 20 octets" in said
    assert password not in said
    assert "\n" not in said
    assert chassis.log == []


async def test_nobody_at_the_address_is_one_line() -> None:
    way = {"ipmi": {"host": "127.0.0.1", "port": free_port(), "credentials": "bmc"}}
    with pytest.raises(PowerError, match=r"did not end within|are its address, user and password right"):
        await switch(power_with(LOGIN, seconds=1.0), way, Action.STATUS)


async def test_a_host_without_ipmitool_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PowerError, match="ipmitool is not installed; sudo apt-get install ipmitool"):
        await switch(power_with(), {"ipmi": {"host": "bmc", "credentials": "bmc"}}, Action.STATUS)
