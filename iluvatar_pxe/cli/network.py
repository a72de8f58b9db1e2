"""``iluvatar-pxe network``: who else is on the network."""

from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.network import ShowNetwork
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import Cell, say, say_json, table, terminal_width
from iluvatar_pxe.spans import ago

_SERVERS = (("DHCP server",), ("interface",), ("what it does",), ("last heard",))
_CLIENTS = (("MAC",), ("address",), ("make and product",), ("reached",), ("last seen",))


def network(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show which other DHCP servers were heard, and which unknown machines asked for a boot; exits 1 if a server is too many."""
    answer = ask_running(settings_of_daemon(config), ShowNetwork())
    if as_json:
        say_json(answer)
    else:
        say(network_lines(answer, datetime.now(UTC), terminal_width()))
    raise typer.Exit(1 if any(one["problem"] for one in answer["dhcp_servers"]) else 0)


def network_lines(answer: Data, now: datetime, width: int | None) -> Iterator[str]:
    """Lay out servers, what is wrong with them, and clients."""
    servers, clients = answer["dhcp_servers"], answer["unknown"]
    if servers:
        yield from table(_SERVERS, [_server(one, now) for one in servers], width, (2,))
    else:
        yield "No other DHCP server was heard yet."
    yield from (one["problem"] for one in servers if one["problem"])
    if clients:
        yield ""
        yield from table(_CLIENTS, [_client(one, now) for one in clients], width, (2,))
    if more := answer["unknown_in_all"] - len(clients):
        yield f"and {more:,} more unknown machines: iluvatar-pxe machines list --all"


def server_words(one: Data) -> str:
    """Say what a DHCP server does."""
    found = ["gives addresses"] if one["gives_addresses"] else []
    if one["boots"]:
        found.append(f"offers {one['boot_file']}" if one["boot_file"] else "answers boot requests")
    if one["is_ours"]:
        found.append("is a daemon of the fleet")
    return ", ".join(found) or "sends machines here"


def _server(one: Data, now: datetime) -> list[Cell]:
    when = ago(datetime.fromisoformat(one["last_heard"]), now)
    return [(one["address"],), (one["interface"],), (server_words(one),), (when,)]


def _client(one: Data, now: datetime) -> list[Cell]:
    made = " ".join(filter(None, (one["manufacturer"], one["product"])))
    when = ago(datetime.fromisoformat(one["last_seen"]), now)
    return [(one["macs"][0],), (one["address"] or "",), (made,), (one["reached"],), (when,)]
