"""How Talos fetches its configuration: the variables in the address, and how long it waits before it asks again."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp
from support.talos.hardware import Hardware

ATTEMPT_SECONDS = 180.0
_VARIABLE = re.compile(r"\$\{(uuid|serial|mac|hostname|code)\}", re.IGNORECASE)


class NotFetchedError(Exception):
    """Why an attempt brought no configuration."""


def address_of(template: str, hardware: Hardware, hostname: str = "") -> str:
    """Return the address that Talos asks: variables of the query replaced, its keys sorted."""
    values = {
        "uuid": hardware.uuid,
        "serial": hardware.serial,
        "mac": hardware.mac,
        "hostname": hostname,
        "code": "",
    }
    parts = urlsplit(template)
    if not parts.query:
        return template
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    filled = sorted((key, _filled(key, value, values)) for key, value in pairs)
    return urlunsplit(parts._replace(query=urlencode(filled)))


def _filled(key: str, value: str, values: Mapping[str, str]) -> str:
    if key.lower() == "uuid" and not value:
        return values["uuid"]
    return _VARIABLE.sub(lambda found: values[found[1].lower()], value)


def pause(failures: int, chance: float) -> float:
    """Return the seconds that Talos waits after so many failed attempts; ``chance`` is from 0 to 1."""
    return (2.0 ** max(failures - 1, 0) - 1) / 2 + chance


async def fetch(url: str, source: str, seconds: float = ATTEMPT_SECONDS) -> str:
    """Return the text of a configuration, asked for from the address ``source``; raises NotFetchedError."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(url) as response,
        ):
            body = await response.text()
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
        raise NotFetchedError(f"failed to download config: {str(error) or type(error).__name__}") from error
    if response.status == HTTPStatus.NO_CONTENT:
        raise NotFetchedError("config not found")
    if response.status != HTTPStatus.OK:
        raise NotFetchedError(f"failed to download config, received {response.status}")
    return body
