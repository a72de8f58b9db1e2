"""Somebody who is away is told, by the real daemon and the real apprise, at an address that is sealed."""

from pathlib import Path

from support.hosted import Hosted
from support.notified import service
from support.waiting import wait_until
from support.warm import Ended, run_warm

FILE = "notifications/chat.txt"
FLEET = f"notifications: {{chat: {{addressFile: {FILE}}}}}\n"


def command(daemon: Hosted, *words: str) -> Ended:
    return run_warm(*words, "--config", str(daemon._file))


def test_the_owner_seals_an_address_tries_it_and_is_told_of_a_refused_push(tmp_path: Path) -> None:
    with service() as web, Hosted(tmp_path) as daemon:
        owner = daemon.owner(tmp_path / "clone")
        address = f"json://ada:password1@127.0.0.1:{web.port}/hook"
        declared = (owner.directory / "fleet.yaml").read_text() + FLEET
        owner.commit({"fleet.yaml": declared, FILE: f"{address}\n"})
        shown = owner.push()
        assert f"{FILE}:1: holds a token or password in clear; encrypt it: iluvatar-pxe fleet seal" in shown
        assert run_warm("fleet", "seal", str(owner.directory / FILE)).status == 0
        owner.commit({})
        assert "password in clear" not in owner.push()

        wait_until(
            lambda: "delivered" in command(daemon, "notifications", "test").output, "the address to be known"
        )
        assert web.bodies[-1]["title"] == "lab.home.arpa: test"
        told = len(web.bodies)
        owner.commit({"fleet.yaml": declared + "rulez: []\n"})
        owner.push(check=False)
        wait_until(lambda: len(web.bodies) > told, "the message")
        assert web.bodies[-1]["title"] == "lab.home.arpa: 1 push refused"
        assert "rulez: no such key" in web.bodies[-1]["message"]
        refused = command(daemon, "notifications", "test", "fax")
        assert (refused.status, refused.error) == (
            1,
            "iluvatar-pxe: no notifications of that name; there are: chat\n",
        )
        assert daemon.stop() == 0
        assert not any("password1" in line for line in daemon.errors)
