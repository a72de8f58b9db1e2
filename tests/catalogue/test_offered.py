"""Names that Image Factory does not have are told, with those that were probably meant."""

import pytest

from iluvatar_pxe.catalogue.offered import Offered, unknown_names
from iluvatar_pxe.catalogue.schematic import Overlay, Schematic

OFFERED = Offered(
    version="v1.13.9",
    extensions=frozenset({"siderolabs/iscsi-tools", "siderolabs/util-linux-tools", "siderolabs/i915"}),
    overlays=frozenset(
        {("siderolabs/sbc-raspberrypi", "rpi_generic"), ("siderolabs/sbc-rockchip", "rock4cplus")}
    ),
)


def overlay(image: str, name: str) -> Schematic:
    return Schematic(overlay=Overlay(image=f"siderolabs/{image}", name=name))


@pytest.mark.parametrize(
    ("schematic", "expected"),
    [
        (Schematic(extensions=("siderolabs/iscsi-tools", "siderolabs/util-linux-tools")), []),
        (Schematic(extensions=("siderolabs/i915-ucode",)), []),
        (Schematic(kernel_args=("quiet",)), []),
        (
            Schematic(extensions=("siderolabs/iscsi-tool", "siderolabs/iscsi-tools")),
            [
                "extensions: siderolabs/iscsi-tool is no extension for Talos v1.13.9; did you mean siderolabs/iscsi-tools?"
            ],
        ),
        (
            Schematic(extensions=("siderolabs/gasket", "x/y")),
            [
                "extensions: siderolabs/gasket is no extension for Talos v1.13.9; take a name of Image Factory's list",
                "extensions: x/y is no extension for Talos v1.13.9; take a name of Image Factory's list",
            ],
        ),
        (overlay("sbc-raspberrypi", "rpi_generic"), []),
        (
            overlay("sbc-raspberypi", "rpi_generic"),
            [
                "overlay.image: siderolabs/sbc-raspberypi is no overlay for Talos v1.13.9; did you mean siderolabs/sbc-raspberrypi?"
            ],
        ),
        (
            overlay("sbc-raspberrypi", "rpi-generic"),
            [
                "overlay.name: rpi-generic is no overlay of siderolabs/sbc-raspberrypi for Talos v1.13.9; did you mean rpi_generic?"
            ],
        ),
    ],
)
def test_each_unknown_name_is_a_line(schematic: Schematic, expected: list[str]) -> None:
    assert list(unknown_names(schematic, OFFERED)) == expected
