"""A database of the test's own, and an open inventory whose clock the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inventory.samples import Clock, url_of

from iluvatar_pxe.inventory.inventory import Inventory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "inventory.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def inventory(file: Path, clock: Clock) -> AsyncIterator[Inventory]:
    opened = Inventory(url_of(file), clock)
    await opened.open()
    yield opened
    await opened.close()
