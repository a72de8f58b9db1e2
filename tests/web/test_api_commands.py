"""The network's API: the commands that it has, who may use them, and one problem for whatever is refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.api_site import ApiSite
from support.waiting import wait_until
from support.web import Response

from iluvatar_pxe.admin.registry import COMMANDS
from iluvatar_pxe.events import EventKind
from iluvatar_pxe.web.api.served import SERVED

MACS = tuple(f"52:54:00:00:00:{number:02x}" for number in range(5))
SURROGATE = b'{"why": "\\ud800"}'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    with ApiSite(tmp_path_factory.mktemp("site")) as running:
        yield running


def problem(answer: Response) -> Any:
    """Return what is wrong; fails if that is no problem document of one line (RFC 9457)."""
    assert answer.headers["content-type"].startswith("application/problem+json")
    told = json.loads(answer.body)
    assert set(told) == {"type", "title", "status", "detail"}
    assert told["status"] == answer.status
    assert "\n" not in told["detail"]
    return told["detail"]


def test_machines_come_in_pages(site: ApiSite) -> None:
    for mac in MACS:
        site.boots(mac)
    first = site.ask("/api/v1/machines?limit=3")
    assert [one["macs"][0] for one in first["machines"]] == list(MACS[:3])
    assert first["total"] == 5
    rest = site.ask("/api/v1/machines?limit=3&cursor=" + first["next"].replace(" ", "%20"))
    assert [one["macs"][0] for one in rest["machines"]] == list(MACS[3:])
    assert rest["next"] is None


def test_machines_are_filtered_as_on_the_page(site: ApiSite) -> None:
    for mac in MACS:
        site.boots(mac)
    for query, macs in (
        (f"words={MACS[1].upper()}", [MACS[1]]),
        ("layer=arda", []),
        ("phase=joined", []),
        ("attention=true", []),
        ("words=%20", list(MACS)),
    ):
        told = site.ask(f"/api/v1/machines?{query}")
        assert [one["macs"][0] for one in told["machines"]] == macs
        assert told["total"] == len(macs)


def test_one_machine_is_told_with_its_boots(site: ApiSite) -> None:
    machine = site.boots(MACS[0])
    told = site.ask(f"/api/v1/machines/{MACS[0]}")
    assert told["id"] == str(machine.id)
    assert "last_boots" in told


def test_a_machines_boots_are_told_part_by_part(site: ApiSite) -> None:
    site.boots(MACS[0])
    target = f"/api/v1/machines/{MACS[0]}/boots"
    wait_until(lambda: site.ask(target)["boots"], "the database to have it")
    (boot,) = site.ask(target)["boots"]
    assert boot["current"]
    assert boot["parts"]
    assert boot["parts"][0] == {**boot["parts"][0], "part": "DHCP", "usual": None, "slower": False}


def test_a_plan_is_only_known_where_a_daemon_runs(site: ApiSite) -> None:
    site.boots(MACS[0])
    assert "no daemon is running" in problem(site.get(f"/api/v1/machines/{MACS[0]}/plan"))


def test_a_change_is_on_record_with_who(site: ApiSite) -> None:
    site.boots(MACS[0])
    with capture_logs() as logs:
        answer = site.change(f"/api/v1/machines/{MACS[0]}/hold", {"why": "memory test"})
    assert json.loads(answer.body)["machine"]["intent_by"] == "token ada"
    assert [(line["event"], line["by"]) for line in logs if "by" in line] == [("web", "token ada")]
    assert site.events.after(0)[-1].kind is EventKind.ACTION


@pytest.mark.parametrize("token", ["none", "bob", "Basic"])
def test_nothing_changes_without_a_write_token(site: ApiSite, token: str) -> None:
    site.boots(MACS[4])
    given = {"bob": f"Bearer {site.reads}", "Basic": f"Basic {site.writes}"}.get(token, "")
    answer = site.change(f"/api/v1/machines/{MACS[4]}/hold", Authorization=given)
    assert answer.status == {"bob": 403}.get(token, 401)
    assert problem(answer)
    assert site.ask(f"/api/v1/machines/{MACS[4]}")["intent_by"] is None


@pytest.mark.parametrize("kind", [one for one in COMMANDS if one.local], ids=lambda kind: kind.__name__)
def test_what_has_secrets_or_names_files_is_not_asked_for_over_the_network(site: ApiSite, kind: Any) -> None:
    path = kind.route.format(layer="arda")
    answer = site.get(path, kind.method, Authorization=f"Bearer {site.writes}", Content_Length="0")
    assert answer.status == 403
    assert problem(answer) == f"use the command line on the daemon's host: {kind.local}"


def test_no_command_with_secrets_in_its_fields_or_its_answer_is_served() -> None:
    secret = {
        "ExportSecrets",
        "ImportSecrets",
        "AdoptCluster",
        "MakeTalosconfig",
        "MakeKubeconfig",
        "JoinCluster",
    }
    files = {"Upgrade", "Backup", "Restore", "SetAside", "AssetsImport"}
    assert {one.__name__ for one in COMMANDS} - {one.__name__ for one in SERVED} == secret | files


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/api/v1/nothing", 404, "there is no such request; /api/ shows all"),
        ("/api/v1/machines/none", 404, "none: no machine has this name, MAC or ID"),
        ("/api/v1/machines/%00%ff", 404, "no machine has this name"),
        ("/api/v1/machines?limit=0", 400, "limit: Input should be greater than or equal to 1"),
        ("/api/v1/machines?limit=1&limit=2", 400, "limit: give it once"),
        ("/api/v1/machines?" + "x" * 3000 + "=1", 400, "there is no such parameter"),
        ("/api/v1/machines?cursor=" + "x" * 300, 400, "cursor: String should have at most 200 characters"),
        ("/api/v1/dns/answer?name=" + "a" * 300 + "&type=A", 400, "name: "),
        ("/api/v1/dns/answer?name=a&type=A", 409, "no daemon is running"),
        ("/api/v1/health", 409, "no daemon is running"),
    ],
)
def test_a_hostile_or_mistaken_question_is_refused_in_one_line(
    site: ApiSite, target: str, status: int, words: str
) -> None:
    answer = site.get(target)
    assert answer.status == status
    assert words in problem(answer)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"[]", 400, "the body is not a JSON object; send one"),
        (b"{", 400, "the body is not JSON; send an object"),
        (b"\xff\xfe", 400, "the body is not JSON; send an object"),
        (b"[" * 60_000, 400, "the body is not JSON; send an object"),
        (b'{"why": 1}', 400, "why: Input should be a valid string"),
        (b'{"more": 1}', 400, "more: Extra inputs are not permitted"),
        (b'{"machine": "other"}', 200, ""),
        (b" " * 70_000, 413, "Maximum request body size"),
        (SURROGATE, 200, ""),
    ],
)
def test_a_hostile_body_is_refused_in_one_line(site: ApiSite, body: bytes, status: int, words: str) -> None:
    site.boots(MACS[0])
    answer = site.change(f"/api/v1/machines/{MACS[0]}/hold", body)
    assert answer.status == status
    assert status == 200 or words in problem(answer)


def test_a_body_of_another_kind_is_none(site: ApiSite) -> None:
    site.boots(MACS[0])
    answer = site.change(f"/api/v1/machines/{MACS[0]}/hold", {"why": ""}, Content_Type="text/plain")
    assert answer.status == 415
    assert problem(answer) == "send the body as application/json"
