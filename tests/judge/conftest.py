"""The judges of both contracts, each started once for a worker."""

from collections.abc import Iterator

import pytest
from support.judge import Judge, judging

from iluvatar_pxe.layers.arda.documents import Contract


@pytest.fixture(scope="session", params=Contract)
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with judging(request.param) as started:
        yield started
