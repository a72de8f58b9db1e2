"""The services that the fleet may name, and the addresses of the documents, are those of the apprise that is locked."""

import json
import re
import subprocess
import sys
from pathlib import Path

from iluvatar_pxe.fleet.fields.notification_services import SERVICES
from iluvatar_pxe.fleet.notifications import address_fault

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
ADDRESSES = re.findall(r"`([a-z]+://[^`]+[^/`])`", GUIDE)
LOCAL = {"amqp", "amqps", "irc", "ircs", "rsyslog", "syslog"}
"""Neither HTTP nor mail."""
VALUES = {
    "TOKEN_A": "T1JJ3T3L2",
    "TOKEN_B": "A1BRTD4JD",
    "TOKEN_C": "TIiajkdnlazkcOXrIdevi7FQ",
    "WEBHOOK_ID": "4174216298",
    "WEBHOOK_TOKEN": "JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "BOT_TOKEN": "123456789:abcdefg_hijklmnop",
    "CHAT_ID": "12315544",
}
ASK = """
import json, sys, apprise
addresses = json.load(sys.stdin)
taken = [apprise.Apprise.instantiate(one) is not None for one in addresses]
found = apprise.Apprise().details()["schemas"]
names = {name for one in found for name in (*(one["protocols"] or ()), *(one["secure_protocols"] or ()))}
json.dump([taken, sorted(names)], sys.stdout)
"""


def filled(address: str) -> str:
    for name, value in VALUES.items():
        address = address.replace(name, value)
    return address


def test_what_apprise_takes() -> None:
    addresses = [filled(one) for one in ADDRESSES]
    assert {one.partition("://")[0] for one in addresses} >= {
        *("ntfy", "ntfys", "slack", "discord", "tgram", "mailto", "mailtos", "hassios", "json", "jsons")
    }
    assert not [fault for one in addresses if (fault := address_fault(one))]
    asked = subprocess.run(
        [sys.executable, "-c", ASK], input=json.dumps(addresses), capture_output=True, text=True, check=True
    )
    taken, names = json.loads(asked.stdout)
    assert not [one for one, is_taken in zip(addresses, taken, strict=True) if not is_taken]
    assert set(names) - LOCAL == SERVICES
