"""A Raspberry Pi's system after its kernel, played: cloud-init's datasource NoCloud, and the swap of the ticket for k3s.

It stands in for a system: it asks in cloud-init's order and forms (``sources/DataSourceNoCloud.py``), keeps no file and
runs no k3s.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import yaml
from msgspec import Struct

from iluvatar_pxe.errors import SimulateError
from iluvatar_pxe.simulate.downloads import Answer
from iluvatar_pxe.simulate.play import Play

AGENT = "Cloud-Init/26.1"
_DATASOURCE = ("ds=nocloud;", "ds=nocloud-net;")
_DOCUMENTS = ("network-config", "meta-data", "user-data", "vendor-data")
"""In the order in which they are fetched; the second and the third have to be there."""
_NEEDED = frozenset({"meta-data", "user-data"})
_NODE = "/etc/iluvatar/node.json"
_SECONDS = 30.0
"""Without an answer."""
SWAPS, SWAP_PAUSE = 30, 2.0
"""How often a ticket is shown before that counts as a boot that fails, and seconds in between."""


class Seed(Struct, frozen=True):
    """What the kernel's arguments say of cloud-init's datasource: a URL that ends with ``/``, and the instance."""

    url: str
    instance_id: str


def seed_of(command_line: str) -> Seed | None:
    """Return what kernel arguments say; None where they name no datasource with a URL."""
    words = [word for word in command_line.split() if word.startswith(_DATASOURCE)]
    if not words:
        return None
    pairs = dict(part.partition("=")[::2] for part in words[-1].split(";")[1:])
    url = pairs.get("s", pairs.get("seedfrom", ""))
    if not url:
        return None
    return Seed(url if url.endswith("/") else f"{url}/", pairs.get("i", pairs.get("instance-id", "")))


async def boot_system(play: Play, command_line: str) -> str:
    """Play what runs after the kernel; return what came of it, in words. Raises SimulateError."""
    seed = seed_of(command_line)
    if seed is None:
        return "the kernel is started with all its files"
    with play.stages.stage("documents") as stage:
        documents = {name: await _document(play, f"{seed.url}{name}", name) for name in _DOCUMENTS}
        user = _user_data(documents["user-data"])
        name = _meta_data(documents["meta-data"], seed)
        stage.detail = f"of {name}"
    with play.stages.stage("secrets") as stage:
        await _report(play, user, "init-network", "start")
        files = await _swap(play, _node(user)["url"])
        stage.detail = f"{files} files"
    with play.stages.stage("cloud-init"):
        await _report(play, user, "modules-final", "finish", result="SUCCESS")
        await _phone_home(play, user, name, seed)
    return f"the system of {name} has its documents and its secrets"


async def _document(play: Play, url: str, name: str) -> str:
    """Return a document; one that need not be there is empty then."""
    answer = await play.http.ask("GET", url, AGENT, _SECONDS)
    if answer.status == 200:
        return answer.text
    if name in _NEEDED:
        raise SimulateError(f"{name}: {_words(answer)}")
    return ""


def _user_data(text: str) -> Mapping[str, Any]:
    if not text.startswith("#cloud-config"):
        raise SimulateError("user-data: does not begin with #cloud-config, so cloud-init ignores it")
    return _mapping(text, "user-data")


def _meta_data(text: str, seed: Seed) -> str:
    """Return the machine's name; the instance is the same one by the kernel's arguments, or it asks at each boot."""
    found = _mapping(text, "meta-data")
    if found.get("instance-id") != seed.instance_id:
        raise SimulateError(f"meta-data: has instance-id {found.get('instance-id')}, not {seed.instance_id}")
    return str(found.get("local-hostname"))


def _mapping(text: str, name: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SimulateError(f"{name}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, Mapping):
        raise SimulateError(f"{name}: is no mapping")
    return found


def _node(user: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the program that prepares k3s is told."""
    files = {one.get("path"): one.get("content", "") for one in user.get("write_files", ())}
    found = _mapping(files.get(_NODE, ""), _NODE)
    if not found.get("url"):
        raise SimulateError(f"{_NODE}: has no URL of a daemon")
    return found


async def _swap(play: Play, url: str) -> int:
    """Swap the ticket in two phases; return how many files came for it."""
    for last in (*(False,) * (SWAPS - 1), True):
        answer = await _post(play, f"{url}/swap", {"etcd": False})
        if answer.status == 200:
            break
        if last or answer.status < 500:
            raise SimulateError(f"swap: {_words(answer)}")
        await play.wait(SWAP_PAUSE)
    given = json.loads(answer.text)
    stored = await _post(play, f"{url}/stored", {"receipt": given["receipt"]})
    if stored.status != 200:
        raise SimulateError(f"stored: {_words(stored)}")
    return len(given["files"])


async def _report(play: Play, user: Mapping[str, Any], name: str, event: str, **more: str) -> None:
    """Send an event, as cloud-init does from a thread of its own: whether it arrives changes nothing."""
    told = {"name": name, "event_type": event, "origin": "cloudinit", "description": name, **more}
    for handler in user.get("reporting", {}).values():
        await _post(play, handler["endpoint"], {**told, "timestamp": 0.0})


async def _phone_home(play: Play, user: Mapping[str, Any], name: str, seed: Seed) -> None:
    if url := user.get("phone_home", {}).get("url"):
        form = urlencode({"instance_id": seed.instance_id, "hostname": name, "fqdn": str(user.get("fqdn"))})
        kind = "application/x-www-form-urlencoded"
        answer = await play.http.ask("POST", url, AGENT, _SECONDS, form.encode(), kind)
        if answer.status != 200:
            raise SimulateError(f"phone-home: {_words(answer)}")


async def _post(play: Play, url: str, body: Mapping[str, object]) -> Answer:
    return await play.http.ask("POST", url, AGENT, _SECONDS, json.dumps(body).encode(), "application/json")


def _words(answer: Answer) -> str:
    return f"the HTTP server answers {answer.text.partition(chr(10))[0] or answer.status}"
