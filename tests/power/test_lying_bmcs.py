"""BMCs that hang, drown, lead elsewhere or talk nonsense, by real TLS: each costs one line, and nothing is switched."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.power import power_with, switch
from support.tls import Given, fingerprint_of
from support.tls_servers import Handler, answering

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.power.action import Action

SYSTEM = "/redfish/v1/Systems/1"
GOOD: dict[str, Any] = {
    "/redfish/v1/": {"Id": "x", "Name": "x", "RedfishVersion": "1.0.2", "Systems": {"@odata.id": "/redfish/v1/Systems"}},
    "/redfish/v1/Systems": {"Name": "x", "Members": [{"@odata.id": SYSTEM}]},
    SYSTEM: {
        "Id": "1",
        "Name": "x",
        "PowerState": "Off",
        "Actions": {"#ComputerSystem.Reset": {"target": f"{SYSTEM}/reset", "ResetType@Redfish.AllowableValues": ["On"]}},
    },
}  # fmt: skip


def telling(**changes: Any) -> Callable[[Handler], None]:
    """Return a BMC that tells all the truth but for some documents, by the last parts of their paths."""

    def answer(handler: Handler) -> None:
        path = handler.path
        told = changes.get(path.rstrip("/").rpartition("/")[2], GOOD.get(path))
        handler.send(404 if told is None else 200, json.dumps(told).encode(), Content_Type="application/json")

    return answer


def hangs(handler: Handler) -> None:
    handler.server.site.closing.wait()


def drips(handler: Handler) -> None:
    """Send another octet before each timeout, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.site.closing.wait(0.1):
        handler.wfile.write(b" ")


def drowns(handler: Handler) -> None:
    handler.send(200, b"[" * (10 << 20))


def bombs(handler: Handler) -> None:
    handler.send(200, b"\x1f\x8b" + b"\0" * 100, Content_Encoding="gzip", Content_Type="application/json")


def redirects(handler: Handler) -> None:
    handler.send(302, b"", Location="https://127.0.0.1:1/redfish/v1/")


def repeats(handler: Handler) -> None:
    """Repeat what it was sent in its error."""
    said = f"no {handler.headers.get('Authorization')} s3cret\n\x1b[2J" + "x" * 1000
    fault = {"error": {"code": "Base.1.0.GeneralError", "message": said}}
    handler.send(400, json.dumps(fault).encode(), Content_Type="application/json")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return Given.make(tmp_path_factory.mktemp("bmc"), "bmc")


def way_to(url: str, given: Given) -> dict[str, object]:
    return {"redfish": {"url": url, "credentials": "bmc", "fingerprint": fingerprint_of(given.certificate)}}


_FORM = "its answer has another form than any that is known|its answer is not Redfish's"
LIES: dict[str, tuple[Callable[[Handler], None], str]] = {
    "hangs": (hangs, "did not end within 1 s, and may have been done or not"),
    "drips": (drips, "did not end within 1 s, and may have been done or not"),
    "drowns": (drowns, "answers with more than 1 MiB"),
    "bombs": (bombs, _FORM),
    "redirects": (redirects, "answers 302, a redirect, which is not followed"),
    "repeats": (repeats, "its answer is not Redfish's: .*"),
    "no JSON": (lambda handler: handler.send(200, b"<html>"), _FORM),
    "a list": (telling(v1=[1, 2]), _FORM),
    "no systems": (telling(Systems={"Name": "x", "Members": []}), "has 0 systems; write one of them as 'system'"),
    "members of another kind": (telling(Systems={"Name": "x", "Members": "none"}), f"{_FORM}|has . systems"),
    "a member elsewhere": (
        telling(Systems={"Name": "x", "Members": [{"@odata.id": "https://127.0.0.1:1/redfish/v1/Systems/1"}]}),
        "an answer leads to another server, which gets no credentials",
    ),
    "power of another kind": (telling(**{"1": GOOD[SYSTEM] | {"PowerState": 7}}), f"{_FORM}|does not tell whether"),
    "no actions": (telling(**{"1": GOOD[SYSTEM] | {"Actions": {}}}), _FORM),
    "other actions": (
        telling(**{"1": GOOD[SYSTEM] | {"Actions": {"#ComputerSystem.Reset": {"target": 7}}}}), _FORM,
    ),
    "a target elsewhere": (
        telling(**{"1": GOOD[SYSTEM] | {"Actions": {"#ComputerSystem.Reset": {"target": "https://127.0.0.1:1/x", "ResetType@Redfish.AllowableValues": ["On"]}}}}),
        "an answer leads to another server, which gets no credentials",
    ),
    "a target without TLS": (
        telling(**{"1": GOOD[SYSTEM] | {"Actions": {"#ComputerSystem.Reset": {"target": "http://127.0.0.1:1/x", "ResetType@Redfish.AllowableValues": ["On"]}}}}),
        "an answer leads to another server, which gets no credentials",
    ),
}  # fmt: skip


QUICK = {"hangs", "drowns", "redirects", "repeats", "a target without TLS"}
"""What is tried each time: every lie costs a process with its libraries."""


@pytest.mark.parametrize(
    "lie", [pytest.param(one, marks=() if one in QUICK else pytest.mark.long) for one in LIES]
)
async def test_a_lie_is_one_line(given: Given, lie: str) -> None:
    answer, why = LIES[lie]
    seconds = 1.0 if "did not end" in why else 60.0
    with answering(answer, given) as bmc, capture_logs() as lines, pytest.raises(PowerError) as failed:
        await switch(power_with(seconds=seconds), way_to(bmc.url, given), Action.ON)
    said = str(failed.value)
    assert re.search(f"^one: power on by redfish: ({why})", said), said
    assert said.isprintable()
    assert len(said) < 300
    assert not [secret for secret in ("s3cret", "YWRhOnMzY3JldA") if secret in said + str(lines)]
    assert [line["event"] for line in lines] == ["power.failed"]
    assert {one.method for one in bmc.asked} <= {"GET"}


async def test_one_that_has_another_certificate_since_gets_no_password(given: Given, tmp_path: Path) -> None:
    with answering(telling(), Given.make(tmp_path, "another")) as bmc, pytest.raises(PowerError) as failed:
        await switch(power_with(), way_to(bmc.url, given), Action.ON)
    assert "its certificate is another than the one of 'fingerprint' (SHA-256 " in str(failed.value)
    assert bmc.asked == []


async def test_one_that_tells_the_truth_is_switched(given: Given) -> None:
    with answering(telling(reset={}), given) as bmc:
        await switch(power_with(), way_to(bmc.url, given), Action.ON)
    assert [(one.path, one.body) for one in bmc.asked if one.method == "POST"] == [
        (f"{SYSTEM}/reset", b'{"ResetType": "On"}')
    ]
