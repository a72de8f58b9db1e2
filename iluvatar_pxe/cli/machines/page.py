"""The page of ``machines show``: everything about one machine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.cli.tables import Cell, fields, table
from iluvatar_pxe.spans import ago

_EVENT_COLUMNS = (("at (UTC)",), ("stage",), ("what",), ("size",), ("why",))
_EVENT_FOLDING = (2, 4)


def page_lines(page: Data, now: datetime, width: int | None) -> Iterator[str]:
    """Lay out a machine's data, plan and boots."""
    plan = page["plan"]
    yield page["name"] or page["macs"][0]
    for heading, rows in (
        ("Identity", _identity(page)),
        ("Place", _place(page, now)),
        *((("Hardware", _hardware(page)),) if page["disk"] else ()),
        ("Next boot", {"plan": plan["what"], "why": plan["why"]}),
        ("How it was decided", {one["step"]: one["found"] for one in plan["steps"][:-1]}),
    ):
        yield ""
        yield heading
        yield from fields(rows, width)
    for boot in page["last_boots"]:
        yield ""
        yield f"Boot {boot['boot']} of {page['boots']}, {_moment(boot['started_at'])}: reached {boot['reached']}"
        if events := [_event_row(event) for event in boot["events"]]:
            yield from table(_EVENT_COLUMNS, events, width, _EVENT_FOLDING)


def place_words(page: Data) -> str:
    """Return the role and the layer of a machine that has a place, from its data."""
    return f"{page['role'] or 'role not chosen yet'} of {page['layer']}"


def _identity(page: Data) -> dict[str, str]:
    doubt = " (not unique, so ignored)"
    return {
        "id": page["id"],
        "MACs": ", ".join(page["macs"]),
        "reports too": ", ".join(page["claimed"]),
        "warning": ". ".join(page["warnings"]),
        "UUID": (page["uuid"] or "") + doubt * page["uuid_is_bogus"],
        "serial": (page["serial"] or "") + doubt * page["serial_is_bogus"],
        "make": page["manufacturer"] or "",
        "product": page["product"] or "",
        "board": page["board"] or "",
        "firmware": ", ".join(filter(None, (page["firmware"], page["arch"]))),
        "address": page["address"] or "",
    }


def _hardware(page: Data) -> dict[str, str]:
    """Return the disk that is chosen or why none is, and all that were read."""
    nics = [f"{one['name']} {one['mac']}" for one in page["nics"]]
    disks = {one["path"]: _disk(one) for one in page["disks"]}
    return {"disk": page["disk"], **disks, "NICs": ", ".join(nics)}


def _disk(disk: Data) -> str:
    fate = "chosen" if disk["chosen"] else disk["why_not"]
    return "; ".join(filter(None, (disk["words"], disk["contents"], fate)))


def _place(page: Data, now: datetime) -> dict[str, str]:
    nowhere = "in no layer" if page["listed"] else "none yet"
    place = place_words(page) if page["layer"] else nowhere
    assigned = f", on {_moment(page['assigned_at'])}" if page["assigned_at"] else ""
    asked = ": ".join(filter(None, (page["intent_by"], page["intent_why"])))
    return {
        "place": place,
        "given by": f"{page['rule']}{assigned}" if page["rule"] else "",
        "phase": page["phase"],
        "changes": "; ".join(page["changes"]),
        "its cluster": f"waits: {page['cluster_waits']}" if page["cluster_waits"] else "",
        "troubles": "; ".join(page["troubles"]),
        "intent": page["intent"] + (f" ({asked})" if asked else ""),
        "it reports": ". ".join(page["faults"]),
        "power": f"switched by {page['power']}" if page["power"] else "",
        "conflict": page["conflict"] or "",
        "to resolve": _settling(page) if page["conflict"] else "",
        "seen": f"first {_moment(page['first_seen'])}, last {_ago(page['last_seen'], now)}",
        "reached": f"{page['reached']}; in any boot: {page['furthest']}",
    }


def _settling(page: Data) -> str:
    title = page["name"] or page["macs"][0]
    return (
        f"if its new hardware data is right: iluvatar-pxe machines release {title}; "
        f"if a NIC belongs to another machine: iluvatar-pxe machines split {title} MAC; "
        f"if both are the same machine: iluvatar-pxe machines merge {title} OTHER"
    )


def _event_row(event: dict[str, Any]) -> list[Cell]:
    size = f"{event['bytes']:,} B in {event['milliseconds']:.0f} ms" if event["bytes"] else ""
    at = datetime.fromisoformat(event["at"]).astimezone(UTC)
    texts = (f"{at:%m-%d %H:%M:%S}", event["stage"], event["detail"] or "", size, event["cause"] or "")
    return [(text,) for text in texts]


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _ago(text: str, now: datetime) -> str:
    return ago(datetime.fromisoformat(text), now)
