"""TFTP packets (RFC 1350, option extension RFC 2347): bytes to frozen messages and back."""

import struct
from enum import IntEnum
from functools import lru_cache

from msgspec import Struct

from iluvatar_pxe.errors import WireError

Options = tuple[tuple[str, str], ...]
"""Option names (lower case) and values, in the order of the packet."""


class ErrorCode(IntEnum):
    """RFC 1350 appendix, and RFC 2347 for the last one."""

    NOT_DEFINED = 0
    FILE_NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TRANSFER_ID = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTION_REFUSED = 8


class _Opcode(IntEnum):
    RRQ = 1
    WRQ = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


_HEADER = struct.Struct(">HH").pack
_DATA, _ACK = int(_Opcode.DATA), int(_Opcode.ACK)
ACK = b"\0\4"
"""The first two octets of an ACK; its block number follows."""


class ReadRequest(Struct, frozen=True):
    """RRQ; ``filename`` is what the client wrote, ``mode`` is lower case."""

    filename: str
    mode: str
    options: Options = ()


class WriteRequest(Struct, frozen=True):
    """WRQ, with the fields of a ReadRequest."""

    filename: str
    mode: str
    options: Options = ()


class Data(Struct, frozen=True):
    """DATA; ``block`` is the 16-bit number on the wire."""

    block: int
    payload: bytes


class Ack(Struct, frozen=True):
    """ACK; ``block`` is the 16-bit number on the wire."""

    block: int


class Error(Struct, frozen=True):
    """ERROR; ``code`` is an ErrorCode, or any other 16-bit number that a peer made up."""

    code: int
    message: str


class OptionAck(Struct, frozen=True):
    """OACK (RFC 2347)."""

    options: Options


Packet = ReadRequest | WriteRequest | Data | Ack | Error | OptionAck


def decode(datagram: bytes) -> Packet:
    """Read one packet.

    Tolerant where firmware is careless and nothing is lost by it: bytes after an ACK, an ERROR without its
    closing NUL, and padding or a broken option at the end of a request are passed over.
    Raises WireError, and nothing else, whatever the bytes.
    """
    opcode, body = int.from_bytes(datagram[:2], "big"), datagram[2:]
    match opcode:
        case _Opcode.ACK:
            return Ack(_number(body))
        case _Opcode.DATA:
            return Data(_number(body), body[2:])
        case _Opcode.ERROR:
            return Error(_number(body), _text(body[2:].partition(b"\0")[0]))
        case _Opcode.RRQ:
            return ReadRequest(*_request(body))
        case _Opcode.WRQ:
            return WriteRequest(*_request(body))
        case _Opcode.OACK:
            return OptionAck(_options(body.split(b"\0")[:-1]))
    raise WireError(f"TFTP: {len(datagram)} bytes with opcode {opcode}, which is none of 1 to 6")


def encode(packet: Packet) -> bytes:
    """Write one packet; characters that no packet can carry become ``?``."""
    match packet:
        case Data(block, payload):
            return data_packet(block, payload)
        case Ack(block):
            return ack_packet(block)
        case Error(code, message):
            return struct.pack(">HH", _Opcode.ERROR, code) + _terminated(message)
        case ReadRequest(filename, mode, options):
            return b"\0\1" + _terminated(filename, mode, *_flat(options))
        case WriteRequest(filename, mode, options):
            return b"\0\2" + _terminated(filename, mode, *_flat(options))
        case OptionAck(options):
            return b"\0\6" + _terminated(*_flat(options))


def data_packet(block: int, payload: bytes | bytearray) -> bytes:
    """Write a DATA, as ``encode`` does; ``block`` is any number, of which the wire has 16 bits."""
    return _HEADER(_DATA, block & 0xFFFF) + payload


def write_data_headers(room: memoryview, start: int, first: int, count: int, blksize: int) -> None:
    """Write the headers of ``count`` DATA of ``blksize`` octets, which begin at ``start``, and zeros for all payloads but the last."""
    numbers = [_DATA << 16 | block & 0xFFFF for block in range(first, first + count)]
    _headers(count, blksize).pack_into(room, start, *numbers)


def ack_packet(block: int) -> bytes:
    """Write an ACK, as ``encode`` does; ``block`` is any number, of which the wire has 16 bits."""
    return _HEADER(_ACK, block & 0xFFFF)


@lru_cache(maxsize=64)
def _headers(count: int, blksize: int) -> struct.Struct:
    return struct.Struct(">" + f"{blksize}x".join("I" * count))


def to_netascii(data: bytes) -> bytes:
    """Convert a Unix file for mode ``netascii``: LF becomes CR LF, CR becomes CR NUL (RFC 1350, RFC 764)."""
    return data.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


def _number(body: bytes) -> int:
    if len(body) < 2:
        raise WireError("TFTP: cut off within the block number or error code")
    return int.from_bytes(body[:2], "big")


def _request(body: bytes) -> tuple[str, str, Options]:
    strings = body.split(b"\0")[:-1]
    if len(strings) < 2:
        raise WireError("TFTP: a request whose file name or mode does not end with NUL")
    return _text(strings[0]), _text(strings[1].lower()), _options(strings[2:])


def _options(strings: list[bytes]) -> Options:
    pairs = zip(strings[::2], strings[1::2], strict=False)
    return tuple((_text(name.lower()), _text(value)) for name, value in pairs if name)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _flat(options: Options) -> list[str]:
    return [text for option in options for text in option]


def _terminated(*texts: str) -> bytes:
    return b"".join(text.replace("\0", "?").encode(errors="replace") + b"\0" for text in texts)
