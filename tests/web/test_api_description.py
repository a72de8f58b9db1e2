"""The API's description: every command that is served is in it, and answers are as it says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.api_site import ApiSite

from iluvatar_pxe.web.api.answers import ANSWERS
from iluvatar_pxe.web.api.openapi import description
from iluvatar_pxe.web.api.served import SERVED

MAC = "52:54:00:00:00:01"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    with ApiSite(tmp_path_factory.mktemp("site")) as running:
        running.boots(MAC)
        yield running


@pytest.fixture(scope="module")
def described(site: ApiSite) -> Any:
    return site.ask("/api/openapi.json")


def test_it_has_every_command_that_is_served_and_the_events(described: Any) -> None:
    operations = [one for path in described["paths"].values() for one in path.values()]
    assert described["openapi"] == "3.1.0"
    assert {one["operationId"] for one in operations} == {one.__name__ for one in SERVED} | {"FollowEvents"}
    assert all(one["summary"] for one in operations)
    assert described == json.loads(json.dumps(description())), "the same text each time"


def test_all_that_changes_something_says_that_it_needs_a_token(described: Any) -> None:
    for path in described["paths"].values():
        for method, operation in path.items():
            assert ("security" in operation) == (method != "get")


def test_every_reference_leads_somewhere(described: Any) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (value for key, value in part.items() if key == "$ref")
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                yield from references(one)

    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(references(described)) <= known


def test_fields_are_where_a_client_gives_them(described: Any) -> None:
    split = described["paths"]["/api/v1/machines/{machine}/split"]["post"]
    assert [(one["name"], one["in"]) for one in split["parameters"]] == [("machine", "path")]
    body = split["requestBody"]["content"]["application/json"]["schema"]
    assert (set(body["properties"]), split["requestBody"]["required"]) == ({"mac"}, True)
    limit = described["paths"]["/api/v1/machines"]["get"]["parameters"][0]
    assert (limit["name"], limit["in"], limit["schema"]["default"]) == ("limit", "query", 100)
    assert described["paths"]["/api/v1/enrolment"]["put"]["requestBody"]["required"]


def test_what_a_machine_answers_with_has_no_other_keys_than_described(site: ApiSite) -> None:
    answers = {kind.__name__: model for kind, model in ANSWERS.items()}
    for name, target in (
        ("ShowMachines", "/api/v1/machines"),
        ("ShowMachine", f"/api/v1/machines/{MAC}"),
        ("ShowBoots", f"/api/v1/machines/{MAC}/boots"),
        ("ShowEnrolment", "/api/v1/enrolment"),
    ):
        found = site.ask(target)
        answers[name].model_validate(found)
        assert found.keys() == answers[name].model_fields.keys()
    machine = site.ask("/api/v1/machines")["machines"][0]
    assert machine.keys() == described_fields(answers["ShowMachines"])
    changed = json.loads(site.change(f"/api/v1/machines/{MAC}/hold").body)
    answers["Hold"].model_validate(changed)


def described_fields(model: Any) -> Any:
    return model.model_fields["machines"].annotation.__args__[0].model_fields.keys()


def test_people_read_it_as_a_page(site: ApiSite) -> None:
    page = site.get("/api/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "POST /api/v1/machines/{machine}/reinstall" in page.text
    assert "Whether a file of the fleet lists it." in page.text
    assert site.get("/api").headers["location"] == "/api/"
