"""Whether simulated machines can have cards here."""

import os

import pytest


@pytest.fixture(scope="session")
def cards() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: cards in network namespaces")
