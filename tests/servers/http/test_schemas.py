"""The schemas that editors fetch."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.web import Web, web

from iluvatar_pxe.fleet.schemas import DESCRIBED, schemas


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path) as running:
        yield running


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_schema_is_served_as_one(served: Web, name: str) -> None:
    response = served.get(f"/schemas/{name}")
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/schema+json")
    assert response.headers["cache-control"] == "public, max-age=3600"
    assert response.text == schemas()[name]


def test_they_are_listed_with_the_files_they_are_for(served: Web) -> None:
    response = served.get("/schemas/")
    assert response.headers["content-type"].startswith("application/json")
    listed = json.loads(response.text)["schemas"]
    assert {tuple(one["fileMatch"]) for one in listed} == {(one.files,) for one in DESCRIBED.values()}
    assert all(one["name"] and one["description"] for one in listed)
    here = f"http://127.0.0.1:{served.port}"
    for one in listed:
        assert one["url"].startswith(f"{here}/schemas/")
        assert json.loads(served.get(one["url"].removeprefix(here)).text)["title"] in one["fileMatch"]


@pytest.mark.parametrize(
    "path", ["/schemas/vala.schema.json", "/schemas/fleet", "/schemas/..%2ffleet.schema.json", "/schemas/a/b"]
)
def test_there_are_no_others(served: Web, path: str) -> None:
    response = served.get(path)
    assert response.status == 404
    assert response.is_one_line
