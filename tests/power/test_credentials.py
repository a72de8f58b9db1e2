"""What sealed files hold, and that no word of them is in an error or a representation."""

import pytest

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.sealed import ARMOR
from iluvatar_pxe.power.credentials import headers_of, login_of


def test_user_and_password() -> None:
    login = login_of("bmc", {"bmc": "username: ada\npassword: 's3cret: x'\n"})
    assert (login.username, login.password) == ("ada", "s3cret: x")
    assert "s3cret" not in repr(login)


def test_headers() -> None:
    assert headers_of("hook", {"hook": "Authorization: Bearer abc\n"}) == {"Authorization": "Bearer abc"}
    assert headers_of(None, {}) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "is not in the fleet"),
        (f"{ARMOR}\ns3cret\n", "is sealed, but not to this host's key"),
        ("s3cret", "must hold two lines"),
        ("username: ada\npassword: s3cret\nmore: s3cret\n", "must hold two lines"),
        ("username: a:b\npassword: s3cret\n", "must hold two lines"),
        ('username: ada\npassword: "s3cret\\n"\n', "must hold two lines"),
        ("username: ada\npassword: 12345\n", "write them in quotes"),
    ],
)
def test_anything_else_is_refused_without_a_word_of_it(text: str | None, why: str) -> None:
    with pytest.raises(PowerError, match=why) as refused:
        login_of("bmc", {} if text is None else {"bmc": text})
    assert "s3cret" not in str(refused.value)
    assert "12345" not in str(refused.value)


@pytest.mark.parametrize("text", ['"A b": c\n', 'A: "b\\r\\nHost: x"\n'])
def test_a_header_that_ends_its_line_is_refused(text: str) -> None:
    with pytest.raises(PowerError, match="must hold headers"):
        headers_of("hook", {"hook": text})
