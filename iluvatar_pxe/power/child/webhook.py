"""Plugs and switches that are asked by plain HTTP requests."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from iluvatar_pxe.power.child.session import (
    STEP_SECONDS,
    AnswerError,
    OneServerAdapter,
    Trust,
    authority_file,
    why,
)


def perform(
    *, calls: Sequence[Mapping[str, Any]], headers: Mapping[str, str], fingerprint: str | None, ca: str | None
) -> str:
    """Make the calls one after the other; return what the last one tells. Raises AnswerError.

    A call is ``url``, ``method``, ``body``, the seconds to wait ``before``, and for a question ``on`` and ``off``, of
    which one is in the answer.
    """
    said = ""
    with TemporaryDirectory() as directory:
        trust = not fingerprint and authority_file(ca, Path(directory))
        for call in calls:
            time.sleep(call["before"])
            text = _call(call, headers, fingerprint, trust)
            said = _state(text, call) if call["on"] else ""
    return said


def _call(call: Mapping[str, Any], headers: Mapping[str, str], fingerprint: str | None, trust: Trust) -> str:
    url, body = call["url"], call["body"]
    where = url.partition("?")[0]
    with requests.Session() as session:
        session.trust_env = False
        session.verify = trust
        for scheme in ("http://", "https://"):
            session.mount(scheme, OneServerAdapter(url, fingerprint))
        sent = {"Accept-Encoding": "identity", **_described(body), **headers}
        octets = None if body is None else body.encode()
        try:
            response = session.request(
                call["method"], url, data=octets, headers=sent, timeout=STEP_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise AnswerError(f"{where}: {why(error, url, is_pinned=fingerprint is not None)}") from error
    if not response.ok:
        raise AnswerError(f"{where}: answers {response.status_code}")
    return response.content.decode("utf-8", "replace")


def _described(body: str | None) -> dict[str, str]:
    """Return the type of what is sent: JSON where it is."""
    if body is None:
        return {}
    try:
        json.loads(body)
    except ValueError:
        return {"Content-Type": "text/plain; charset=utf-8"}
    return {"Content-Type": "application/json"}


def _state(text: str, call: Mapping[str, Any]) -> str:
    found = [state for state in ("on", "off") if call[state] in text]
    if len(found) != 1:
        where = call["url"].partition("?")[0]
        raise AnswerError(f"{where}: has to answer with one of whenOn and whenOff")
    return found[0]
