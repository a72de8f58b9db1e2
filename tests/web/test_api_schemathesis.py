"""schemathesis reads the API's description and asks the running daemon whatever it allows, and what it does not."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.daemon import NO_INTERNET, Daemon
from support.waiting import PATIENCE

from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/api/v1/events"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("daemon"))
    made.environment = NO_INTERNET
    with made as running:
        yield running


@pytest.fixture(scope="module")
def token(daemon: Daemon) -> str:
    return Tokens(daemon.state / "git").add("ada", Right.WRITE)


@pytest.mark.parametrize("examples", [1, pytest.param(60, marks=pytest.mark.long)])
def test_whatever_is_asked_is_answered_as_described_and_is_no_fault_of_the_daemon(
    daemon: Daemon, token: str, examples: int
) -> None:
    status, document = daemon.get("/api/openapi.json")
    assert status == 200
    asked = schemathesis.openapi.from_dict(json.loads(document)).exclude(path=ENDLESS)
    statuses: Counter[int] = Counter()
    for found in asked.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        for mode in modes_of(operation):
            ask_for(operation, mode, daemon, token, examples, statuses)
    assert statuses[200] >= 10, statuses
    assert not [line for line in daemon.log if line["level"] in {"error", "critical"}]


def modes_of(operation: Any) -> Iterator[schemathesis.GenerationMode]:
    """Yield what may be asked for: what is allowed, and what is not where anything can be said that is not."""
    yield schemathesis.GenerationMode.POSITIVE
    if operation.definition.raw["parameters"] or "requestBody" in operation.definition.raw:
        yield schemathesis.GenerationMode.NEGATIVE


def ask_for(
    operation: Any, mode: Any, daemon: Daemon, token: str, examples: int, statuses: Counter[int]
) -> None:
    """Ask for one operation in many ways; fails with the request that showed a fault."""

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(
            base_url=f"http://127.0.0.1:{daemon.http_port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
            allow_redirects=False,
        )
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
