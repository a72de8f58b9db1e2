"""A host becomes a node: files and commands of a cloud-config, below a directory that stands for ``/``."""

from pathlib import Path

import pytest
import yaml

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.node import is_node, make_node

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


@pytest.mark.parametrize("name", ["receipt", "swapped"])
def test_a_host_that_has_its_secrets_is_a_node(tmp_path: Path, name: str) -> None:
    (tmp_path / "etc/iluvatar").mkdir(parents=True)
    assert not is_node(tmp_path)
    (tmp_path / "etc/iluvatar" / name).touch()
    assert is_node(tmp_path)
