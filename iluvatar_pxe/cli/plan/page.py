"""The page of ``plan``: who it is, what is assumed, and stage by stage what is found and served."""

import textwrap
from collections.abc import Iterator, Sequence

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.cli.machines.page import place_words

_WIDTH = 80
_LABEL = 12


def page_lines(page: Data) -> Iterator[str]:
    """Lay out a plan's data in lines of 80 columns, but for what must not be broken: scripts, file names."""
    machine = page["machine"]
    yield machine["title"]
    yield from _fields(_identity(machine))
    yield from ("", "Assumed")
    yield from _fields(page["assumed"])
    yield from ("", "Rules of fleet.yaml" + ": skipped, because a file lists it" * machine["listed"])
    yield from _rules(page["rules"])
    yield from _stages(page["stages"])
    if page["files"]:
        yield from ("", "Boot files")
        yield from map(_file, page["files"])
    if config := page["config"]:
        yield from ("", f"Configuration: {_origin(config)}")
        yield from _indented(config["text"])
    yield from ("", f"Result: it {page['stages'][-1]['answer']}.")


def _identity(machine: Data) -> dict[str, str]:
    place = f"{place_words(machine)}, by {machine['given_by']}"
    nowhere = "in no layer" if machine["listed"] else "none yet: no file lists it, and none was assigned"
    return {
        "MACs": ", ".join(machine["macs"]),
        "place": place if machine["layer"] else nowhere,
        "seen": _seen(machine),
        "make": " ".join(filter(None, (machine["manufacturer"], machine["product"], machine["serial"]))),
        "asks as": f"{machine['firmware']} on {machine['arch']}",
    }


def _seen(machine: Data) -> str:
    if not machine["seen"]:
        return "never; a rule on what only the machine reports is assumed not to match"
    boots = f"{machine['boots']} boot{'s' * (machine['boots'] != 1)}"
    return f"in {boots}; phase {machine['phase']}, intent {machine['intent']}"


def _rules(rules: Sequence[Data]) -> Iterator[str]:
    found = False
    for rule in rules:
        matches = "matches, but an earlier rule applies" if found else "matches"
        text = f"{rule['rule'].removesuffix(' of fleet.yaml')}: {rule['why_not'] or matches}"
        yield from _wrapped(text, "  ", "    ")
        found = found or rule["why_not"] is None
    if not rules:
        yield "  none"


def _stages(stages: Sequence[Data]) -> Iterator[str]:
    """Lay out each decision, with those of its steps that found something else than in the one before."""
    told: set[tuple[str, str]] = set()
    for number, stage in enumerate(stages, 1):
        yield from ("", f"{number}. {_heading(stages, number)}")
        found = {one["step"]: one["found"] for one in stage["steps"]}
        yield from _fields({step: text for step, text in found.items() if (step, text) not in told})
        told = set(found.items())
        yield from _served(stage)


def _heading(stages: Sequence[Data], number: int) -> str:
    stage, before = stages[number - 1], stages[number - 2]["plan"] if number > 1 else ""
    if before == "CountDown":
        return "iPXE asks again after the countdown"
    if before == "ShowMenu":
        return "iPXE asks again after the menu"
    if before == "AssignFirst":
        asker = "iPXE" if stage["asks"] == "ipxe" else "the firmware"
        return f"its place is recorded, and {asker} gets its answer"
    return "iPXE asks" if stage["asks"] == "ipxe" else f"the firmware asks ({stage['asks']})"


def _served(stage: Data) -> Iterator[str]:
    program, given = stage["program"], stage["given"]
    size = f" ({_size(program['bytes'])})" if program else ""
    told = any(one["found"] in stage["why"] for one in stage["steps"])
    yield from _fields(
        {
            "action": f"{stage['answer']}{size}",
            "reason": "" if told else stage["why"],
            "gets": _given(given) if given else "",
            "script": " " if stage["script"] else "",
        }
    )
    yield from _indented(stage["script"] or "")


def _origin(config: Data) -> str:
    size = f"{config['bytes']:,} bytes, secrets masked"
    return (
        f"{config['file']}, {size}" if config["file"] else f"made by the daemon when the machine asks, {size}"
    )


def _given(given: Data) -> str:
    return f"{'' if given['certain'] else 'probably '}{given['name']}, {given['role']} of {given['layer']}"


def _file(file: Data) -> str:
    if file["coming"]:
        return f"  {'coming':>10}  {file['coming']}"
    warning = ": may be too large for a Raspberry Pi to fetch by TFTP" * file["too_large"]
    return f"  {_size(file['bytes']):>10}  {file['name']}{warning}"


def _size(octets: int | None) -> str:
    return "missing" if octets is None else f"{octets / (1 << 20):.1f} MiB"


def _fields(values: dict[str, str]) -> Iterator[str]:
    for name, value in values.items():
        if value:
            yield from _wrapped(value, f"  {name:<{_LABEL}}", " " * (_LABEL + 2))


def _wrapped(text: str, indent: str, later: str) -> Iterator[str]:
    lines = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from lines or [indent.rstrip()]


def _indented(text: str) -> Iterator[str]:
    yield from (f"      {line}".rstrip() for line in text.splitlines())
