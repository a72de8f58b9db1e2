"""What is secret is in no repr, which ends in logs and tracebacks; a Struct cannot leave a field out of its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import iluvatar_pxe

PACKAGE = Path(iluvatar_pxe.__file__).parent
SECRET = re.compile(r"(\w+_)?(token|ticket|password|passphrase|secret)s?: ")
HIDDEN = "repr=False"


def shown(text: str) -> Iterator[str]:
    """Yield each text of a class that is secret by its name, and in the class's repr."""
    for one in ast.walk(ast.parse(text)):
        if isinstance(one, ast.ClassDef) and not any(HIDDEN in ast.unparse(by) for by in one.decorator_list):
            for field in one.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    kind, name = ast.unparse(field.annotation), field.target.id
                    holds = re.match(r"(Annotated\[)?str\b|Mapping\[str, str\]", kind)
                    if holds and SECRET.fullmatch(f"{name}: ") and HIDDEN not in ast.unparse(field):
                        yield f"{one.name}.{name}"


def test_no_repr_has_a_secret() -> None:
    texts = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    found = {one for text in texts if SECRET.search(text) for one in shown(text)}
    hash_of_a_file = {"_Document.password"}
    assert found == hash_of_a_file, "make it a dataclass, and the field: field(repr=False)"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("class A(Struct):\n    push_token: str | None = None", ["A.push_token"]),
        ("@dataclass(frozen=True)\nclass A:\n    passwords: Mapping[str, str]", ["A.passwords"]),
        ("@dataclass(repr=False)\nclass A:\n    token: str", []),
        ("class A:\n    token: str = field(repr=False)", []),
        ("class A(Struct):\n    token_file: Path\n    tokens: Tokens", []),
    ],
)
def test_a_secret_in_a_repr_is_found(text: str, names: list[str]) -> None:
    assert list(shown(text)) == names
