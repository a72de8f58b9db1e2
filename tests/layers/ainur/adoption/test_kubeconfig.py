"""The API server of a kubeconfig, also of one that the real kubectl has written."""

import shutil
import subprocess
from pathlib import Path

import pytest

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.ainur.adoption.kubeconfig import server_of

K3S = """\
apiVersion: v1
clusters: [{cluster: {certificate-authority-data: QQ==, server: "https://10.0.0.1:6443"}, name: default}]
contexts: [{context: {cluster: default, user: default}, name: default}]
current-context: default
kind: Config
users: [{name: default, user: {client-key-data: secret}}]
"""


def test_that_of_the_current_context() -> None:
    assert server_of(K3S) == ("10.0.0.1", 6443)
    assert server_of(K3S.replace("10.0.0.1:6443", "pi.lab")) == ("pi.lab", 6443)


@pytest.mark.parametrize(
    "text",
    [
        "",
        K3S.replace("current-context: default", "current-context: other"),
        K3S.replace("https://", "http://"),
        K3S.replace("https://10.0.0.1:6443", "https://[::1"),
        K3S.replace("https://10.0.0.1:6443", "https://a:b"),
        "clusters: 7\ncontexts: [1]\n",
    ],
)
def test_one_without_is_refused_and_nothing_of_it_shown(text: str) -> None:
    with pytest.raises(OperationError, match="names no server at https://") as refused:
        server_of(text)
    assert "secret" not in str(refused.value)


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_writes_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config"
    for words in (
        ("set-cluster", "lab", "--server=https://10.0.0.2:6443"),
        ("set-context", "me", "--cluster=lab", "--user=me"),
        ("use-context", "me"),
    ):
        subprocess.run(["kubectl", f"--kubeconfig={file}", "config", *words], check=True, capture_output=True)
    assert server_of(file.read_text()) == ("10.0.0.2", 6443)
