"""DHCP messages (RFC 2131, RFC 2132): bytes to a frozen message and back."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import WireError

MAGIC_COOKIE = b"\x63\x82\x53\x63"
BOOTREQUEST, BOOTREPLY = 1, 2
BROADCAST_FLAG = 0x8000
ANY = IPv4Address(0)

MIN_MESSAGE = 300
"""Octets a reply is padded to: BOOTP clients and relays may drop shorter ones (RFC 1542 section 2.1)."""
CHADDR = slice(28, 34)
"""Where an Ethernet sender's MAC is in a message."""
DEFAULT_MAX_MESSAGE = 576
"""Octets every client must accept when it sends no option 57 (RFC 2132 section 9.10)."""

_FIXED = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_MAX_HARDWARE_ADDRESS = 16
_OVERLOAD_FILE, _OVERLOAD_SNAME = 1, 2


class Option(IntEnum):
    """The options this project reads or writes (IANA bootp-dhcp-parameters)."""

    PAD = 0
    SUBNET_MASK = 1
    VENDOR_SPECIFIC = 43
    REQUESTED_ADDRESS = 50
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    PARAMETER_LIST = 55
    MAX_MESSAGE = 57
    VENDOR_CLASS = 60
    CLIENT_ID = 61
    SERVER_NAME = 66
    BOOT_FILE = 67
    USER_CLASS = 77
    RELAY_AGENT = 82
    CLIENT_ARCH = 93
    CLIENT_NDI = 94
    CLIENT_MACHINE_ID = 97
    IPXE = 175
    END = 255


class MessageType(IntEnum):
    """Option 53 (RFC 2132 section 9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


_MESSAGE_TYPES = {int(kind): kind for kind in MessageType}


class DhcpMessage(Struct, frozen=True, kw_only=True):
    """One message. ``chaddr`` has hlen octets; ``options`` keeps order and repetitions."""

    op: int
    xid: int
    chaddr: bytes
    htype: int = 1
    hops: int = 0
    secs: int = 0
    flags: int = 0
    ciaddr: IPv4Address = ANY
    yiaddr: IPv4Address = ANY
    siaddr: IPv4Address = ANY
    giaddr: IPv4Address = ANY
    sname: bytes = b""
    file: bytes = b""
    options: tuple[tuple[int, bytes], ...] = ()

    def option(self, code: int) -> bytes | None:
        """Return the first instance of an option, as iPXE and EDK2 do, or None."""
        return next((value for number, value in self.options if number == code), None)

    def address(self, code: int) -> IPv4Address | None:
        """Return an option that holds one IPv4 address, or None when it does not."""
        value = self.option(code)
        return IPv4Address(value) if value is not None and len(value) == 4 else None

    @property
    def mac(self) -> str:
        """``chaddr`` in lower case, with colons."""
        return self.chaddr.hex(":")

    @property
    def message_type(self) -> MessageType | None:
        """Option 53, or None when absent or unknown."""
        value = self.option(Option.MESSAGE_TYPE)
        return _MESSAGE_TYPES.get(value[0]) if value else None

    @property
    def max_message(self) -> int:
        """How many octets of DHCP message the client accepts (option 57)."""
        value = self.option(Option.MAX_MESSAGE)
        if value is None or len(value) != 2:
            return DEFAULT_MAX_MESSAGE
        return max(int.from_bytes(value), DEFAULT_MAX_MESSAGE)


def decode(data: bytes) -> DhcpMessage:
    """Read a datagram; raises WireError when it is no DHCP message.

    As tolerant as iPXE inside its bounds: a missing END, an option that overruns the end, unterminated
    ``sname`` and ``file``, pads anywhere and repeated options are accepted; option 52 is honoured.
    """
    if len(data) < _FIXED.size:
        raise WireError(f"{len(data)} bytes, shorter than a DHCP header")
    op, htype, hlen, hops, xid, secs, flags, ci, yi, si, gi, chaddr, sname, file, cookie = _FIXED.unpack_from(
        data
    )
    if cookie != MAGIC_COOKIE:
        raise WireError("no DHCP magic cookie")
    if hlen > _MAX_HARDWARE_ADDRESS:
        raise WireError(f"hardware address of {hlen} bytes")
    options = list(tagged_values(data[_FIXED.size :]))
    overload = next((value[0] for code, value in options if code == Option.OVERLOAD and value), 0)
    if overload & _OVERLOAD_FILE:
        options += tagged_values(file)
        file = b""
    if overload & _OVERLOAD_SNAME:
        options += tagged_values(sname)
        sname = b""
    return DhcpMessage(
        op=op,
        htype=htype,
        hops=hops,
        xid=xid,
        secs=secs,
        flags=flags,
        ciaddr=IPv4Address(ci),
        yiaddr=IPv4Address(yi),
        siaddr=IPv4Address(si),
        giaddr=IPv4Address(gi),
        chaddr=chaddr[:hlen],
        sname=sname.partition(b"\0")[0],
        file=file.partition(b"\0")[0],
        options=tuple(options),
    )


def encode(message: DhcpMessage) -> bytes:
    """Write a message, options in the order given, padded to ``MIN_MESSAGE``.

    Raises ValueError when ``sname``, ``file`` or an option does not fit its field.
    """
    if len(message.file) > 127 or len(message.sname) > 63:
        raise ValueError("sname or file does not fit its field with a terminating NUL")
    fixed = _FIXED.pack(
        message.op,
        message.htype,
        len(message.chaddr),
        message.hops,
        message.xid,
        message.secs,
        message.flags,
        message.ciaddr.packed,
        message.yiaddr.packed,
        message.siaddr.packed,
        message.giaddr.packed,
        message.chaddr,
        message.sname,
        message.file,
        MAGIC_COOKIE,
    )
    options = b"".join(bytes((code, len(value))) + value for code, value in message.options)
    return (fixed + options + bytes((Option.END,))).ljust(MIN_MESSAGE, b"\0")


def tagged_values(field: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (code, value) until END or the end of the field; an option that overruns it is dropped."""
    position = 0
    while position < len(field):
        code = field[position]
        if code == Option.END:
            return
        if code == Option.PAD:
            position += 1
            continue
        if position + 1 >= len(field):
            return
        end = position + 2 + field[position + 1]
        if end > len(field):
            return
        yield code, field[position + 2 : end]
        position = end
