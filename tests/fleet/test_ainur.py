"""``layers/ainur.yaml``, and what files and rules may say of Raspberry Pis."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError

MAC = "dc:a6:32:00:00:04"


def test_every_key() -> None:
    ainur = fleet_of(
        ainur="image: ubuntu-24.04\nkernelArgs: ['ds=nocloud;s=http://x/', $x]\nconfigTxt: [dtparam=audio=off]\n"
        "eepromUpdate: true\n"
    ).k3s("ainur")
    assert ainur
    assert (ainur.image, ainur.kernel_args) == ("ubuntu-24.04", ("ds=nocloud;s=http://x/", "$x"))
    assert (ainur.config_txt, ainur.eeprom_update) == (("dtparam=audio=off",), True)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("image: ../other", "write the name of a folder"),
        ("image: a/b", "write the name of a folder"),
        ("kernelArgs: ['a b']", "write one kernel argument"),
        ('kernelArgs: ["a\\nb"]', "write one kernel argument"),
        ("kernelArgs: [ä]", "write one kernel argument"),
        ('configTxt: ["a\\nkernel=x"]', "write a line of config.txt"),
        (f"configTxt: [{'a' * 99}]", "at most 98 characters"),
        ("configTxt: [kernel=mine.img]", "kernel is set by the daemon"),
        ("configTxt: ['include more.txt']", "include is set by the daemon"),
        ("configTxt: [' os_prefix=current/']", "os_prefix is set by the daemon"),
        ("eepromUpdate: 'yes'", "eepromUpdate"),
    ],
)
def test_what_could_break_out_of_its_line_is_refused(line: str, fault: str) -> None:
    with pytest.raises(FleetError) as caught:
        fleet_of(ainur=f"{line}\n")
    assert f"layers/ainur.yaml:2: {line.partition(':')[0]}" in caught.value.findings[0]
    assert fault in caught.value.findings[0]


@pytest.mark.parametrize("line", ["image: other", "eepromUpdate: false"])
def test_a_machine_of_another_layer_has_no_image(line: str) -> None:
    assert fleet_of(("pi", MAC, f"layer: ainur\n{line}\n"), ainur="").listed
    with pytest.raises(FleetError, match=r"is only for layers of kind k3s, and arda is of kind talos"):
        fleet_of(("pi", MAC, f"chain: local\n{line}\n"), ainur="")
