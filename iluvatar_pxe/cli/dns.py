"""``iluvatar-pxe dns``: the daemon's answer to a name, and its source."""

from collections.abc import Iterator
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.dns import DnsFlush, DnsQuery
from iluvatar_pxe.admin.requests.request import CommandResult, Request, request_of
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.spans import span

app = new_group(help="Query the DNS server and flush its cache.")


@app.command()
def query(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A fully qualified name, such as git.lab.home.arpa.")
    ],
    *,
    kind: Annotated[str, typer.Option("--type", metavar="T", help="A, AAAA, SRV, TXT, PTR, ...")] = "A",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Look up a name in the daemon's DNS server, as a client would; exits 1 when there is no such record."""
    answer = ask_running(settings_of_daemon(config), _query(name, kind))
    if as_json:
        say_json(answer)
    else:
        say(_lines(answer))
    raise typer.Exit(0 if answer["records"] else 1)


@app.command()
def flush(*, config: ConfigOption = None) -> None:
    """Flush the cache of upstream answers."""
    say([f"{ask_running(settings_of_daemon(config), DnsFlush())['message']}."])


def _query(name: str, kind: str) -> Request:
    try:
        return request_of(DnsQuery, {"name": name, "type": kind})
    except ValueError as error:
        raise UsageError(str(error).partition(": ")[2]) from error


def _lines(answer: CommandResult) -> Iterator[str]:
    yield from answer["records"] or [f"{answer['name']}: {_nothing(answer)}"]
    told = answer["rcode"] in {"NOERROR", "NXDOMAIN"}
    yield f"{'from' if told else 'why:'} {answer['origin']}{_memory(answer)}"


def _nothing(answer: CommandResult) -> str:
    if answer["rcode"] == "NXDOMAIN":
        return "there is no such name (NXDOMAIN)"
    return f"no {answer['type']} record ({answer['rcode']})"


def _memory(answer: CommandResult) -> str:
    """Say how old a cached answer is."""
    if not answer["remembered"]:
        return ""
    beyond = "; expired, but no upstream responds" if answer["stale"] else ""
    return f", cached for {span(answer['age'])}{beyond}"
