"""A publisher on loopback, and a directory to download into."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.downloading import Site
from support.publisher import Publisher, publisher


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Publisher]:
    with publisher(tmp_path) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, shop: Publisher, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("SSL_CERT_FILE", str(shop.authority.file))
    (tmp_path / "assets").mkdir()
    return Site(tmp_path / "assets", shop)
