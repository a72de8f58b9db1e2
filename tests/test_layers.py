"""The shape of the code, where no linter looks: no module grows too large to be read."""

from pathlib import Path

import pytest

import iluvatar_pxe

PACKAGE = Path(iluvatar_pxe.__file__).parent
GENERATED = ("_pb2.py", "_grpc.py")
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if not path.name.endswith(GENERATED)
)
MOST_LINES = 400


def test_there_are_modules() -> None:
    assert {"app/parts.py", "cli/serve.py", "wire/dhcp.py"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read_at_once(module: str) -> None:
    text = (PACKAGE / module).read_text(encoding="utf-8")
    assert len(text.splitlines()) < MOST_LINES, "split it by what it does"
    assert text.startswith(('"""', "#!")), "it says what it is for"
