"""A publisher, and a fetcher that unpacks nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fetching import Bench
from support.publisher import Publisher, publisher


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Publisher]:
    (tmp_path / "tls").mkdir()
    with publisher(tmp_path / "tls") as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
