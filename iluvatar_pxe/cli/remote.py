"""The daemon of another host: commands ask it over the network if ``--server`` names it."""

import http.client
import json
import os
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from iluvatar_pxe.admin.requests.request import CommandResult, Request, target_of
from iluvatar_pxe.errors import ControlError, OperationError, UsageError
from iluvatar_pxe.printable import printable

TOKEN = "ILUVATAR_PXE_TOKEN"  # noqa: S105 - the variable's name
COMMANDS = frozenset(
    {
        "assets",
        "check",
        "cluster",
        "dns",
        "enrol",
        "enroll",
        "machines",
        "network",
        "notifications",
        "plan",
        "status",
    }
)
"""Those that ask a daemon; others work on files of this host, and are not about another one."""
_LONGEST_ANSWER = 64 << 20


@dataclass(frozen=True, slots=True)
class Server:
    """Another host's daemon: its address, who asks, and which CA its certificate is of; None: those of the system."""

    url: SplitResult
    token: str = field(repr=False)
    ca: Path | None


_chosen: Server | None = None


def choose(url: str, token_file: Path | None, ca: Path | None, command: str) -> None:
    """Have this process ask the daemon at ``url``; raises UsageError."""
    global _chosen  # noqa: PLW0603 - one process is one command
    parts = _split(url)
    if command not in COMMANDS:
        raise UsageError(f"{command} works on files of the daemon's host; run it there, without --server")
    token = _token(token_file)
    if token and parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise UsageError(f"--server {url}: a token would go over the network in clear; use https://")
    _chosen = Server(parts, token, ca)


def _split(url: str) -> SplitResult:
    wrong = UsageError(f"--server {printable(url)}: not an address such as https://192.0.2.1:8443")
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise wrong from error
    if not is_good or parts.path.strip("/") or parts.query:
        raise wrong
    return parts


def chosen() -> Server | None:
    """Return the daemon that this process asks; None for the one of this host."""
    return _chosen


def check_local(what: str) -> None:
    """Raise UsageError for what reads files of the daemon's host, if that is another one."""
    if _chosen:
        raise UsageError(f"{what} reads files of the daemon's host; run it there, without --server")


def ask_server(server: Server, request: Request, patience: float) -> CommandResult:
    """Ask it; raises OperationError where it refuses, and ControlError where it gives no answer that can be used.

    What it would refuse anyhow is not sent: it may have secrets. Raises UsageError for that.
    """
    if request.local:
        raise UsageError(f"run this on the daemon's host, without --server: {request.local}")
    connection = _connection(server, patience)
    address = server.url.geturl()
    try:
        return _exchange(connection, server, request)
    except ssl.SSLCertVerificationError as error:
        remedy = f"get its CA from {address}/ca.crt, compare it, and pass --ca FILE"
        raise ControlError(f"{address}: {error.verify_message}; {remedy}") from error
    except TimeoutError as error:
        raise ControlError(f"{address}: no answer within {patience:g} s; is it on?") from error
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        why = printable(str(error) or type(error).__name__)
        raise ControlError(
            f"{address}: no daemon answers there: {why}; check the address and port"
        ) from error
    finally:
        connection.close()


def _exchange(connection: http.client.HTTPConnection, server: Server, request: Request) -> CommandResult:
    path, fields = target_of(request)
    headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
    body = None
    if request.method in {"GET", "DELETE"}:
        path += f"?{query}" if (query := urlencode(fields, doseq=True)) else ""
    else:
        body = json.dumps(fields)
        headers["Content-Type"] = "application/json"
    connection.request(request.method, path, body, headers)
    response = connection.getresponse()
    answer: Any = json.loads(response.read(_LONGEST_ANSWER))
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - a fault of the answer, not of a caller
    if response.status != http.client.OK:
        raise OperationError(printable(str(answer.get("detail", f"status {response.status}"))))
    return answer


def _connection(server: Server, patience: float) -> http.client.HTTPConnection:
    host, port = server.url.hostname or "", server.url.port
    if server.url.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=patience)
    try:
        context = ssl.create_default_context(cafile=server.ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca {server.ca}: not a file of certificates: {error}") from error
    return http.client.HTTPSConnection(host, port, timeout=patience, context=context)


def _token(file: Path | None) -> str:
    """Return the token, which is no argument: others could read it in the list of processes."""
    if file is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--token-file {file}: cannot be read; put the token into it, in one line"
        ) from error


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
