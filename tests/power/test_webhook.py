"""Plugs and switches that are asked by HTTP requests, on loopback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.power import power_with, switch
from support.tls import Given, fingerprint_of
from support.tls_servers import Answering, Handler, answering

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.power.action import Action

TEXTS = {"hook": "Authorization: Bearer s3cret\n"}


def good(handler: Handler) -> None:
    handler.send(200, b'{"output": true}')


def way_to(plug: Answering, **more: Any) -> dict[str, object]:
    calls = {action: {"url": f"{plug.url}/{action}?id=0"} for action in ("on", "off")}
    status = {"url": f"{plug.url}/status", "whenOn": '"output": true', "whenOff": '"output": false'}
    return {"webhook": {**calls, "status": status, "credentials": "hook", **more}}


async def test_a_cycle_is_off_and_on_with_the_headers_of_the_sealed_file() -> None:
    with answering(good) as plug:
        await switch(power_with(TEXTS), way_to(plug), Action.CYCLE)
    assert [(one.method, one.path) for one in plug.asked] == [("POST", "/off?id=0"), ("POST", "/on?id=0")]
    assert {one.headers["Authorization"] for one in plug.asked} == {"Bearer s3cret"}


async def test_its_own_calls_have_their_bodies_and_status_is_in_the_answer() -> None:
    with answering(good) as plug:
        cycle = {"url": f"{plug.url}/cycle", "method": "PUT", "body": '{"port": 7}'}
        way = way_to(plug, cycle=cycle)
        assert await switch(power_with(TEXTS), way, Action.CYCLE, Action.STATUS) == "on"
    first, second = plug.asked
    assert (first.method, json.loads(first.body)) == ("PUT", {"port": 7})
    assert first.headers["Content-Type"] == "application/json"
    assert (second.method, second.path) == ("GET", "/status")


def redirects(handler: Handler) -> None:
    handler.send(307, b"", Location="http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("answer", "action", "why"),
    [
        (redirects, Action.ON, "answers 307, a redirect, which is not followed"),
        (lambda handler: handler.send(403, b"no s3cret"), Action.ON, r"http://[^?]*/on: answers 403$"),
        (lambda handler: handler.send(200, b"?"), Action.STATUS, "has to answer with one of whenOn and whenOff"),
        (lambda handler: handler.send(200, b" " * (10 << 20)), Action.ON, "answers with more than 1 MiB"),
        (lambda handler: handler.server.site.closing.wait(), Action.ON, "did not end within 1 s"),
        (good, Action.NETWORK, "its 'webhook' has no 'network'; add it"),
    ],
)  # fmt: skip
async def test_what_a_plug_does_not_do_is_one_line(
    answer: Callable[[Handler], None], action: Action, why: str
) -> None:
    seconds = 1.0 if "did not end" in why else 60.0
    with (
        answering(answer) as plug,
        pytest.raises(PowerError, match=f"^one: power {action} by webhook: ") as failed,
    ):
        await switch(power_with(TEXTS, seconds=seconds), way_to(plug), action)
    failed.match(why)
    assert "s3cret" not in str(failed.value)


async def test_nobody_at_the_address_is_one_line() -> None:
    with answering(good) as plug:
        pass
    with pytest.raises(PowerError, match=r"/on: cannot be reached: Connection refused$"):
        await switch(power_with(TEXTS), way_to(plug), Action.ON)


async def test_a_certificate_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    given = Given.make(tmp_path)
    with answering(good, given) as plug:
        way = way_to(plug, fingerprint=fingerprint_of(given.certificate))
        await switch(power_with(TEXTS), way, Action.ON)
        with pytest.raises(PowerError, match=r"/on: its certificate is not known \(SHA-256"):
            await switch(power_with(TEXTS), way_to(plug), Action.ON)
    assert len(plug.asked) == 1
