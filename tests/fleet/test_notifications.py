"""Who is told what, by which service: what the fleet may say of it, and which addresses should have been sealed."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.notification_checks import secrets_in_clear
from iluvatar_pxe.fleet.notifications import NewsKind
from iluvatar_pxe.gitops.secrets.sealing import new_key, seal

TOKEN = "slack://TokenA/TokenB/TokenCTokenCTokenC"


def declared(line: str) -> str:
    return f"notifications:\n  phone: {{{line}}}\n"


def test_everything_is_told_where_nothing_is_chosen() -> None:
    fleet = fleet_of(fleet=declared("address: 'ntfys://ntfy.sh/lab-3f9c'"))
    assert fleet.settings.notifications["phone"].about == tuple(NewsKind)
    assert not fleet_of().settings.notifications


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("about: [held]", "2: notifications.phone: needs either 'address' or 'addressFile'"),
        ("address: 'ntfy://t', addressFile: a.txt", "2: notifications.phone: needs either"),
        ("address: 'ntfi://topic'", "notifications.phone.address: no such service of apprise: ntfi; did you mean ntfy?"),
        ("address: 'syslog://'", "notifications.phone.address: "),
        ("address: 'ntfy://a b'", "notifications.phone.address: write an address of apprise"),
        ("address: phone", "notifications.phone.address: write an address of apprise"),
        ("address: 'ntfy://t', about: []", "notifications.phone.about: "),
        ("address: 'ntfy://t', about: [birthday]", "notifications.phone.about"),
        ("addressFile: none.txt", "fleet.yaml:2: none.txt is not a text file"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_file_and_line(line: str, reason: str) -> None:
    with pytest.raises(FleetError) as refused:
        fleet_of(fleet=declared(line))
    assert reason in str(refused.value)


def test_a_refused_address_is_not_in_the_reason() -> None:
    with pytest.raises(FleetError) as refused:
        fleet_of(fleet=declared("address: 'slak://TokenA/TokenB'"))
    assert "Token" not in str(refused.value)
    with pytest.raises(FleetError, match=r"^chat\.txt:1: no such service") as refused:
        fleet_of(fleet=declared("addressFile: chat.txt"), chat_txt="slak://TokenA/TokenB\n")
    assert "Token" not in str(refused.value)


def test_an_address_is_in_no_repr() -> None:
    assert "Token" not in repr(fleet_of(fleet=declared(f"address: '{TOKEN}'")).settings)


@pytest.mark.parametrize(
    ("address", "is_secret"),
    [
        (TOKEN, True),
        ("discord://1234/abcdef", True),
        ("tgram://12:ab/34", True),
        ("hassios://ha.lab.home.arpa/token", True),
        ("mailtos://ada:word@example.org", True),
        ("json://ada:word@host/path", True),
        ("json://host/path?+Authorization=abc", True),
        ("json://host/path?a=b&+X-Api-Key=abc", True),
        ("ntfys://tk_abc@ntfy.example.org/topic", True),
        ("ntfys://ntfy.sh/topic", False),
        ("ntfy://host:8080/topic?priority=high", False),
        ("jsons://host/path", False),
        ("mailto://192.168.1.5:25?from=pi@lab.example&to=ada@lab.example", False),
    ],
)
def test_an_address_with_a_secret_in_clear_is_warned_of(address: str, *, is_secret: bool) -> None:
    found = [
        secrets_in_clear(fleet_of(fleet=declared(f"address: '{address}'"))),
        secrets_in_clear(fleet_of(fleet=declared("addressFile: chat.txt"), chat_txt=f"{address}\n")),
    ]
    assert [bool(lines) for lines in found] == [is_secret, is_secret]
    if is_secret:
        assert found[0][0].endswith("iluvatar-pxe fleet seal notifications/phone.txt")
        assert found[1][0].startswith("chat.txt:1: holds a token or password in clear; ")
        assert address not in str(found)


def test_a_sealed_address_is_as_it_should_be() -> None:
    sealed = seal(f"{TOKEN}\n".encode(), [str(new_key().to_public())]).decode()
    assert not secrets_in_clear(fleet_of(fleet=declared("addressFile: chat.txt"), chat_txt=sealed))
