"""Where the fleet has snapshots copied."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError


def test_a_directory_is_named_from_the_root_on() -> None:
    backup = fleet_of(fleet="backup: {directory: /mnt/nas/iluvatar}\n").settings.backup
    assert backup
    assert backup.directory == "/mnt/nas/iluvatar"
    assert fleet_of().settings.backup is None


@pytest.mark.parametrize("place", ["nas", "~/nas", "/", "/mnt/", "/mnt/../etc", "/mnt/.", "//mnt", "''", "1"])
def test_another_one_is_refused_in_file_and_line(place: str) -> None:
    with pytest.raises(FleetError, match=r"fleet\.yaml:2: backup\.directory: "):
        fleet_of(fleet=f"backup:\n  directory: {place}\n")
