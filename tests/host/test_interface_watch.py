"""The kernel's news of interfaces are acted on: real links, in a network of our own."""

import os
import sys
from pathlib import Path

import pytest

from iluvatar_pxe.lab.room.namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ROOT = Path(__file__).parents[2]
ADD = "ip link add eth0 type veth peer name eth1; ip address add 10.77.3.2/24 dev eth0; ip link set eth0 up"
PRELUDE = """
import asyncio, socket, subprocess
from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host import interface_watch
from iluvatar_pxe.host.interface_watch import InterfaceWatch
from support.waiting import until

served, errors = [], []

async def serve(interfaces):
    served[:] = [f"{one.name} {one.address}" for one in interfaces]
    return list(errors)

def sh(command):
    subprocess.run(command, shell=True, check=True)

async def main():
    watch = InterfaceWatch(["eth0"], lambda network: 0)
    await watch.start(serve)
    following = asyncio.create_task(watch.run(serve))
    await check(watch)
    following.cancel()
    watch.close()
"""


def run(check: str) -> None:
    """Run ``check`` with a watch of eth0 that runs."""
    script = f"{PRELUDE}\nasync def check(watch):\n{check}\nasyncio.run(main())\n"
    with Namespace() as namespace:
        namespace.run(["env", f"PYTHONPATH={ROOT}:{ROOT}/tests", sys.executable, "-W", "error", "-c", script])


def test_an_interface_that_comes_changes_and_goes() -> None:
    run(f"""
    assert served == []
    assert watch.problem.startswith("interface eth0 does not exist yet; ")
    sh({ADD!r})
    await until(lambda: served == ["eth0 10.77.3.2"] and watch.problem is None)
    number = watch.interfaces[0].index
    sh("ip link del eth0; {ADD}")
    await until(lambda: served and watch.interfaces[0].index != number)
    sh("ip address add 10.77.3.9/24 dev eth0; ip address del 10.77.3.2/24 dev eth0; ip address add 10.77.4.9/24 dev eth0")
    await until(lambda: served == ["eth0 10.77.4.9"])
    sh("ip address flush dev eth0")
    await until(lambda: served == [])
    assert watch.problem == "interface eth0 has no IPv4 address yet; it is served once it has"
    sh("ip link del eth0")
    await until(lambda: watch.problem.startswith("interface eth0 does not exist yet; "))
""")


def test_news_that_were_lost_are_news() -> None:
    """The messages are more than the socket holds, and the last of them, which says what is true, is lost."""
    run(f"""
    watch._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sh("for n in $(seq 20); do ip link add v type veth peer name w; ip link del v; done; {ADD}")
    await until(lambda: served == ["eth0 10.77.3.2"])
    sh("ip address flush dev eth0")
    await until(lambda: served == [])
""")


def test_what_cannot_be_bound_is_tried_again() -> None:
    run(f"""
    interface_watch._RETRY = 0.01
    errors.append(ServerError("taken"))
    sh({ADD!r})
    await until(lambda: watch.problem == "taken")
    errors.clear()
    await until(lambda: watch.problem is None)
""")


def test_without_a_free_descriptor_what_is_served_stays() -> None:
    run(f"""
    import resource
    interface_watch._RETRY = 0.01
    sh({ADD!r})
    await until(lambda: served == ["eth0 10.77.3.2"])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    watch._news.set()
    await until(lambda: (watch.problem or "").startswith("interfaces cannot be listed: Too many open files; "))
    assert served == ["eth0 10.77.3.2"] and watch.interfaces
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    await until(lambda: watch.problem is None)
""")
