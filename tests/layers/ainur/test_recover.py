"""What a server does that is reset or joins again: its own program, with a stand-in for k3s."""

from pathlib import Path
from typing import Any

import pytest
from support.node_programs import program

from iluvatar_pxe.layers.ainur.node_tasks import Kind

TASK = {
    "id": "reset/1",
    "stamp": "20261130T120000Z",
    "join": "server: https://new.lab:6443\n",
    "snapshot": None,
}
DATA = "var/lib/rancher/k3s/server/db"
K3S = """\
#!/bin/sh
root=$(dirname "$0")/../../..
test ! -e "$root/{data}/reset-flag" || {{ echo "previously reset" >&2; exit 1; }}
touch "$root/{data}/reset-flag"
echo "$*" >> "$root/called"
{more}
"""


def lay(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def recover() -> Any:
    return program("tasks").recover


@pytest.fixture
def root(tmp_path: Path) -> Path:
    lay(
        tmp_path,
        {
            f"{DATA}/etcd/member/wal/0.wal": "data",
            "etc/rancher/k3s/config.yaml": "token-file: /etc/rancher/k3s/token\n",
            "etc/rancher/k3s/config.yaml.d/50-join.yaml": "server: https://api.ainur.lab:6443\n",
            "etc/rancher/k3s/config.yaml.d/90-own.yaml": "debug: true\n",
        },
    )
    stand_in(tmp_path)
    return tmp_path


def stand_in(root: Path, more: str = "") -> None:
    lay(root, {"usr/local/bin/k3s": K3S.format(data=DATA, more=more)})
    (root / "usr/local/bin/k3s").chmod(0o755)


def called(root: Path) -> list[str]:
    return (root / "called").read_text().splitlines()


def test_a_reset_keeps_the_data_and_names_no_server_to_join(recover: Any, root: Path) -> None:
    recover.reset(root, {}, TASK)
    config = root / "run/iluvatar-recovery/config.yaml"
    assert called(root) == [f"server --cluster-reset --config={config}"]
    assert config.read_text() == "token-file: /etc/rancher/k3s/token\n"
    assert [file.name for file in Path(f"{config}.d").iterdir()] == ["90-own.yaml"]
    assert (root / f"{DATA}/etcd-before-{TASK['stamp']}/member/wal/0.wal").read_text() == "data"
    assert (root / "etc/rancher/k3s/config.yaml.d/50-join.yaml").exists()


def test_a_reset_that_was_interrupted_is_done_again_and_keeps_what_was_kept_first(
    recover: Any, root: Path
) -> None:
    stand_in(root, "exit 1")
    with pytest.raises(recover.prepare.Trouble):
        recover.reset(root, {}, TASK)
    lay(root, {f"{DATA}/etcd/member/wal/0.wal": "half"})
    stand_in(root)
    recover.reset(root, {}, TASK)
    assert len(called(root)) == 2
    assert (root / f"{DATA}/etcd-before-{TASK['stamp']}/member/wal/0.wal").read_text() == "data"


def test_a_server_without_data_is_not_reset(recover: Any, tmp_path: Path) -> None:
    with pytest.raises(recover.prepare.Trouble, match="there is no data of an etcd here"):
        recover.reset(tmp_path, {}, TASK)


def test_data_is_moved_aside_once(recover: Any, root: Path) -> None:
    recover.forget_etcd(root, {}, TASK)
    aside = root / f"{DATA}-before-{TASK['stamp']}"
    assert (aside / "etcd/member/wal/0.wal").read_text() == "data"
    assert not (root / DATA).exists()
    assert (root / "etc/rancher/k3s/config.yaml.d/50-join.yaml").read_text() == TASK["join"]
    lay(root, {f"{DATA}/etcd/member/wal/1.wal": "new"})
    recover.forget_etcd(root, {}, TASK)
    assert (root / f"{DATA}/etcd/member/wal/1.wal").read_text() == "new"


def test_what_the_daemon_calls_its_tasks_is_what_the_program_does() -> None:
    tasks = program("tasks")
    assert {*tasks.DOES, "reboot"} == {*map(str, Kind)}
