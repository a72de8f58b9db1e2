"""Machines are woken and switched through a daemon that runs, with a password that only it can open."""

from pathlib import Path

from support.command import Host
from support.daemon import Daemon
from support.machines import machine_of
from support.tls_servers import Handler, answering

from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, seal

MAC = "52:54:00:00:00:01"


def plug(handler: Handler) -> None:
    handler.send(200, b"is on")


def test_the_daemon_opens_the_password_and_switches(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.know(machine_of(MAC))
    key = daemon_key(host.state / KEY_FILE)
    host.write("hook.age", seal(b"Authorization: Bearer s3cret\n", [str(key.to_public())]).decode())
    with answering(plug) as site:
        calls = "".join(f"    {one}: {{url: '{site.url}/{one}'}}\n" for one in ("on", "off"))
        status = f"    status: {{url: '{site.url}/status', whenOn: is on, whenOff: is off}}\n"
        power = f"power:\n  webhook:\n    credentials: hook.age\n{calls}{status}"
        host.write("machines/one.yaml", f'match: {{macs: ["{MAC}"]}}\nchain: local\n{power}')
        with Daemon(tmp_path) as daemon:
            assert host.run("machines", "power", "one", "on").output == "one is switched on\n"
            assert host.run("machines", "power", "one", "status").output == "one is on\n"
            refused = host.run("machines", "power", "one", "off")
            assert refused.status == 2
            assert "there is no terminal to confirm on; add --yes" in refused.error
            assert host.run("machines", "power", "one", "off", "--yes").output == "one is switched off\n"
            woken = host.run("machines", "wake", "one").output
            assert woken == f"one: magic packets for {MAC} are sent through lo\n"
            assert [line["action"] for line in daemon.logged("power.switched")] == ["on", "off"]
            assert daemon.stop() == 0
    assert [one.path for one in site.asked] == ["/on", "/status", "/off"]
    assert {one.headers["Authorization"] for one in site.asked} == {"Bearer s3cret"}
    assert not any("s3cret" in line for line in daemon.errors)


def test_only_a_daemon_switches(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.know(machine_of(MAC))
    host.write(
        "machines/one.yaml", f'match: {{macs: ["{MAC}"]}}\nchain: local\npower: {{command: {{program: x}}}}\n'
    )
    for words in (("wake", "one"), ("power", "one", "status")):
        assert "no daemon is running; start it: iluvatar-pxe serve" in host.run("machines", *words).error
