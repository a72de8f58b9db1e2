"""The ``users:`` part of a layer's file: who may log in to its machines."""

import base64
import binascii
import re
from typing import Annotated, Self

from pydantic import AfterValidator, StrictBool, model_validator

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape, hint
from iluvatar_pxe.fleet.fields.values import FleetPath

_KEY = re.compile(
    r"(?P<type>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)"
    r"|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) (?P<data>[A-Za-z0-9+/]+={0,2})(?: [ -~]{0,200})?"
)
_NO_KEY = "write a public key in one line, as in ~/.ssh/id_ed25519.pub"


def _ssh_key(text: str) -> str:
    found = _KEY.fullmatch(text)
    if not found:
        raise ValueError(_NO_KEY)
    try:
        data = base64.b64decode(found["data"], validate=True)
    except binascii.Error:
        raise ValueError(_NO_KEY) from None
    if data[4 : 4 + int.from_bytes(data[:4])] != found["type"].encode():
        raise ValueError(f"is damaged; {_NO_KEY}")
    return text


def _other_than_root(name: str) -> str:
    if name == "root":
        raise ValueError("root does not log in; add another user with 'sudo: true'")
    return name


UserName = Annotated[
    str,
    AfterValidator(_other_than_root),
    Shape(r"[a-z_][a-z0-9_-]{0,31}", "write a user's name: a-z, 0-9, '-' and '_', at most 32 characters"),
]
SshKey = Annotated[
    str,
    AfterValidator(_ssh_key),
    hint(_KEY.pattern.replace("?P<type>", "?:").replace("?P<data>", "?:"), _NO_KEY),
]


class User(Model):
    """Somebody who may log in to a layer's machines."""

    name: UserName
    """The name to log in with."""
    ssh_keys: tuple[SshKey, ...] = ()
    """Public keys, by which SSH lets the user in; passwords are for the console alone."""
    password_hash: FleetPath | None = None
    """A sealed file of the fleet with the hash of the password, as ``mkpasswd -m yescrypt`` prints it."""
    sudo: StrictBool = False
    """Whether the user may do everything, without a password."""

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if not self.ssh_keys and not self.password_hash:
            raise ValueError("can never log in; add 'sshKeys' or 'passwordHash'")
        return self


def one_of_each_name(users: tuple[User, ...]) -> tuple[User, ...]:
    """Return users, or raise ValueError where two have one name."""
    names = [user.name for user in users]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice} is there twice; remove one")
    return users
