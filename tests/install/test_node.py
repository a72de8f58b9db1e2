"""A host becomes a node: files and commands of a cloud-config, below a directory that stands for ``/``."""

from pathlib import Path

import pytest
import yaml

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.installation import Installation
from iluvatar_pxe.install.node import is_node, make_node, node_stays

CONFIG = """
hostname: other
write_files:
- {path: /etc/rancher/k3s/config.yaml, owner: "root:root", permissions: "0600", content: "node-name: one\\n"}
- {path: /etc/motd, content: "hello\\n"}
- {path: /etc/packed, encoding: b64, content: aGVsbG8K}
- {path: /home/anna/x, owner: "anna:anna", content: x}
runcmd:
- ["sh", "-c", "exit 3"]
- touch PLACE/last
"""


def test_files_are_written_and_all_commands_are_run(tmp_path: Path) -> None:
    config = yaml.safe_load(CONFIG.replace("PLACE", str(tmp_path)))
    assert dict(make_node(tmp_path, config)) == {
        "/etc/rancher/k3s/config.yaml": "installed",
        "/etc/motd": "installed",
        "/etc/packed": "left out: has encoding, which only cloud-init knows",
        "/home/anna/x": "left out: is anna:anna's",
        "sh -c exit 3": "failed: sh -c exit 3: exit status 3",
        f"sh -c touch {tmp_path}/last": "done",
    }
    file = tmp_path / "etc/rancher/k3s/config.yaml"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("node-name: one\n", 0o600)
    assert (tmp_path / "etc/motd").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["etc", "last"]
    assert dict(make_node(tmp_path, config))["/etc/motd"] == "unchanged"


def test_a_file_that_cannot_be_written_ends_it_before_a_command_is_run(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("in the way")
    with pytest.raises(InstallError, match=r"etc/rancher: Not a directory"):
        list(make_node(tmp_path, yaml.safe_load(CONFIG.replace("PLACE", str(tmp_path)))))
    assert not (tmp_path / "last").exists()


def test_what_uninstall_leaves_of_a_node_and_takes_of_its_card(tmp_path: Path) -> None:
    units = tmp_path / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    for name in (
        "iluvatar-pxe-node.path",
        "iluvatar-pxe-node.service",
        "k3s.service",
        "iluvatar-tasks.timer",
    ):
        (units / name).touch()
        (units / "multi-user.target.wants" / name).symlink_to(units / name)
    assert list(node_stays(tmp_path)) == []
    (tmp_path / "etc/iluvatar").mkdir()
    (tmp_path / "etc/iluvatar/swapped").touch()
    done = dict(Installation(tmp_path).uninstall(purge=False))
    assert done[str(units / "iluvatar-pxe-node.service")] == "removed"
    left = {path.relative_to(units).as_posix() for path in units.rglob("*") if not path.is_dir()}
    wanted = {"k3s.service", "iluvatar-tasks.timer"}
    assert left == wanted | {f"multi-user.target.wants/{name}" for name in wanted}
    ((unit, words),) = node_stays(tmp_path)
    assert (unit, "systemctl disable --now k3s.service" in words) == ("k3s.service", True)


@pytest.mark.parametrize("name", ["receipt", "swapped"])
def test_a_host_that_has_its_secrets_is_a_node(tmp_path: Path, name: str) -> None:
    (tmp_path / "etc/iluvatar").mkdir(parents=True)
    assert not is_node(tmp_path)
    (tmp_path / "etc/iluvatar" / name).touch()
    assert is_node(tmp_path)
