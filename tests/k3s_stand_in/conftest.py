"""A cluster of stand-ins for k3s that is laid out by hand."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.k3s.by_hand import Cluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Yield a cluster without machines, and end those that it gets. Skips the test without etcd."""
    if shutil.which("etcd") is None:
        pytest.skip("etcd-server is not installed")
    cluster = Cluster(tmp_path)
    yield cluster
    await cluster.end()
