"""The program of the fleet's pre-receive hook: ``python -P -S pre_receive.py BRANCH [ask-factory]``; see ``hook``.

It asks the daemon's ``checker`` by a Unix socket in the repository, and checks the push itself where that gives no answer.
So it starts without ``site``, and imports next to nothing before.

A request is the fields of ``request_of``, with a zero byte between them, up to the end of the stream. An answer is a line
with the exit status and the number of bytes of the text that follows it, for standard error.
"""

import _socket  # socket imports so much that the start takes twice as long
import gc
import os
import struct
import sys

SOCKET = "iluvatar-pxe.check"
"""The checker's socket, in the repository, where nobody else can make one."""
QUARANTINE = ("GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
"""What git tells a hook of the place where the objects of a push are (git-receive-pack(1))."""
PATIENCE_SECONDS = 20.0
"""For an answer, of the time that ``hosting`` gives to the whole hook."""
PEER = struct.Struct("3i")
"""``struct ucred`` of unix(7): process, user and group."""
_CHUNK = 1 << 16


def code_mark() -> str:
    """Return what differs between two versions of this program on the disk; raises OSError."""
    status = os.stat(__file__)  # noqa: PTH116 - pathlib is not imported
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"


def request_of(arguments: list[str], updates: str) -> bytes:
    """Return the request for a push; ``arguments`` and ``updates`` are the hook's."""
    fields = [code_mark(), " ".join(arguments), *(os.environ.get(name, "") for name in QUARANTINE), updates]
    return b"\0".join(map(os.fsencode, fields))


def ask(request: bytes) -> tuple[int, str] | None:
    """Return exit status and text, or None where there is no checker, or none that answers for this push."""
    user, sock = os.geteuid(), _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    sock.settimeout(PATIENCE_SECONDS)
    try:
        if os.stat(".").st_uid != user:  # noqa: PTH116 - and only this user can read the objects of its push
            return None
        sock.connect(SOCKET)
        peer = PEER.unpack(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, PEER.size))
        if peer[1] not in {0, user}:
            return None
        sock.sendall(request)
        sock.shutdown(_socket.SHUT_WR)
        return _answer(b"".join(iter(lambda: sock.recv(_CHUNK), b"")))
    except OSError:
        return None
    finally:
        sock.close()


def _answer(octets: bytes) -> tuple[int, str] | None:
    """Return what a whole answer says; a checker may have ended in the middle of one, or before it."""
    head, line_end, text = octets.partition(b"\n")
    status, _, length = head.partition(b" ")
    if not line_end or not status.isdigit() or length != b"%d" % len(text):
        return None
    return int(status), text.decode()


def main() -> None:
    """Have a push checked; exits 1 when it is not to be accepted."""
    arguments, updates = sys.argv[1:], sys.stdin.read()
    if answer := ask(request_of(arguments, updates)):
        sys.stderr.write(answer[1])
        sys.exit(answer[0])
    if sys.flags.no_site:
        import site  # noqa: PLC0415 - only now there is need of it

        site.main()
    gc.disable()  # modules stay: looking for garbage among them, now or later, takes a sixth of the time
    from iluvatar_pxe.gitops.hook import check  # noqa: PLC0415 - as above

    gc.freeze()
    gc.enable()
    check(arguments, updates)


if __name__ == "__main__":
    main()
