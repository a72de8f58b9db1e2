"""A cluster of stand-ins, and the judge of its contract."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.judge import Judge, judging
from support.talos.cluster import Cluster

from iluvatar_pxe.layers.arda.documents import Contract


@pytest.fixture
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Yield a cluster of the newest contract, or of those that a test names."""
    cluster = Cluster(tmp_path, contract=getattr(request, "param", Contract.V1_14))
    async with cluster.serving():
        yield cluster


@pytest.fixture(scope="session")
def judges() -> Iterator[dict[Contract, tuple[Judge, Judge]]]:
    """Yield two processes for each contract, since a machine asks for a verdict while a client talks to it."""
    with ExitStack() as stack:
        pairs = {each: (judging(each), judging(each)) for each in Contract}
        yield {
            each: (stack.enter_context(one), stack.enter_context(two)) for each, (one, two) in pairs.items()
        }


@pytest.fixture
def judge(judges: dict[Contract, tuple[Judge, Judge]], cluster: Cluster) -> Judge:
    """Return the judge of the cluster's contract; another one decides what the cluster's machines take."""
    client, law = judges[cluster.contract]
    cluster.verdict = law.load
    return client
