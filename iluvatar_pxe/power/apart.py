"""BMCs and plugs that are asked by HTTP: what the process of its own gets as its job, and what it says."""

import base64
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.power import Call, Redfish, StatusCall, Webhook
from iluvatar_pxe.power.action import Action, one_line
from iluvatar_pxe.power.credentials import Login
from iluvatar_pxe.power.process import Ended, run

Job = Mapping[str, Any]
_COMMAND = (sys.executable, "-I", "-m", "iluvatar_pxe.power.child")
_NONSENSE = "its answer has another form than any that is known"


def redfish_job(way: Redfish, ca: str | None, login: Login, actions: Sequence[Action]) -> Job:
    """Return the job for a BMC."""
    return {
        "kind": "redfish",
        "actions": [str(one) for one in actions],
        "url": way.url,
        "system": way.system,
        "fingerprint": way.fingerprint,
        "ca": ca,
        "username": login.username,
        "password": login.password,
    }


def webhook_job(
    way: Webhook, ca: str | None, headers: Mapping[str, str], actions: Sequence[Action], pause: float
) -> Job:
    """Return the job for what is asked by requests; ``pause`` is in seconds. Raises PowerError where one is missing."""
    calls = [call for action in actions for call in _calls(way, action, pause)]
    return {
        "kind": "webhook",
        "calls": calls,
        "headers": dict(headers),
        "fingerprint": way.fingerprint,
        "ca": ca,
    }


def _calls(way: Webhook, action: Action, pause: float) -> Iterator[Job]:
    call: Call | None = getattr(way, action.value)
    if call is not None:
        yield _call(call, 0.0)
    elif action is Action.CYCLE:
        yield _call(way.off, 0.0)
        yield _call(way.on, pause)
    else:
        raise PowerError(f"its 'webhook' has no '{action}'; add it")


def _call(call: Call, before: float) -> Job:
    asks = call if isinstance(call, StatusCall) else None
    return {
        "url": call.url,
        "method": call.method,
        "body": call.body,
        "before": before,
        "on": asks and asks.when_on,
        "off": asks and asks.when_off,
    }


async def switch(job: Job, secrets: Sequence[str]) -> str:
    """Have a job done; return ``on`` or ``off`` where it asks for that. Raises PowerError without any of ``secrets``."""
    ended = await run(_COMMAND, data=json.dumps(job).encode())
    answer = _answer(ended)
    if "fault" in answer:
        raise PowerError(one_line(str(answer["fault"]), *secrets))
    return str(answer.get("said", ""))


def secrets_of(login: Login) -> tuple[str, str]:
    """Return what no error may repeat: the password, and as it is sent."""
    pair = f"{login.username}:{login.password}".encode()
    return login.password, base64.b64encode(pair).decode()


def _answer(ended: Ended) -> Job:
    if ended.status:  # by a traceback, which may have anything in it
        raise PowerError(_NONSENSE)
    try:
        answer = json.loads(ended.output)
    except ValueError:
        raise PowerError(_NONSENSE) from None
    if not isinstance(answer, dict):
        raise PowerError(_NONSENSE)
    return answer
