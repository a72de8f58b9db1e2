"""The shape of the code, where no linter looks: no module grows too large to be read."""

from pathlib import Path

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


def test_a_module_can_be_read_at_once() -> None:
    texts = {module: (PACKAGE / module).read_text(encoding="utf-8") for module in MODULES}
    too_long = [module for module, text in texts.items() if len(text.splitlines()) >= MOST_LINES]
    assert not too_long, "split them by what they do"
    silent = [module for module, text in texts.items() if not text.startswith(('"""', "#!"))]
    assert not silent, "a module says what it is for"
