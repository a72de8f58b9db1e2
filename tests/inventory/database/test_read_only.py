"""The database read by commands that only look."""

import pytest
from inventory.samples import url_of
from support.rights import directory_for_nobody, without_root

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database.read_only import read_only
from iluvatar_pxe.inventory.database.store import Store


def test_a_file_in_a_closed_directory_is_said_to_be_closed() -> None:
    with directory_for_nobody() as directory:
        closed = directory / "state"
        closed.mkdir(mode=0o700)
        store = Store(url_of(closed / "inventory.db"))
        store.open()
        store.close()
        with without_root(), pytest.raises(InventoryError, match="cannot be read: Permission denied; try it"):
            read_only(url_of(closed / "inventory.db"))
