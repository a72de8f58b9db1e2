import os
from pathlib import Path

import pytest

from iluvatar_pxe.host.card import is_on_card


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("devices/platform/axi/1000fff000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0p2", True),
        ("devices/platform/axi/1000110000.pcie/pci0000:00/nvme/nvme0/nvme0n1/nvme0n1p2", False),
    ],
)
def test_the_device_of_a_file_tells(tmp_path: Path, device: str, *, expected: bool) -> None:
    place, devices = tmp_path / device, tmp_path / "dev/block"
    place.mkdir(parents=True)
    devices.mkdir(parents=True)
    number = tmp_path.stat().st_dev
    (devices / f"{os.major(number)}:{os.minor(number)}").symlink_to(place)
    assert is_on_card(tmp_path, devices) is expected


def test_what_is_on_no_device_is_on_no_card() -> None:
    assert not is_on_card(Path("/proc"))
