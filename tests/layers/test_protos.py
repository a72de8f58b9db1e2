"""The committed code for the messages of Talos and etcd is what the definitions beside it give."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from iluvatar_pxe.layers.arda.api import protos as talos
from iluvatar_pxe.layers.etcd import protos as etcd

FOLDERS = [Path(str(one.__file__)).parent for one in (talos, etcd)]
CHECKOUT = FOLDERS[0].parents[4]
SERVICES = 7 + 1
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_grpc.py")


def generated(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for pattern in GENERATED for path in folder.glob(pattern)}


@pytest.mark.skipif(importlib.util.find_spec("grpc_tools") is None, reason="grpcio-tools is not installed")
def test_make_protos_gives_what_is_committed(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    subprocess.run(
        ["make", "--old-file=.venv/.test", "protos", f"BIN={programs}", f"PROTOS_OUT={tmp_path}"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )

    made = [generated(tmp_path / folder.relative_to(CHECKOUT)) for folder in FOLDERS]

    definitions = sum(len(list(folder.glob("*.proto"))) for folder in FOLDERS)
    assert sum(map(len, made)) == 2 * definitions + SERVICES
    assert made == [generated(folder) for folder in FOLDERS]
