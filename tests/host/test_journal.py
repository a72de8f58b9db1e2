"""The last error of the service, among the lines of its log."""

from iluvatar_pxe.host.journal import last_error_of

ERROR = "TCP 10.0.0.2:53 cannot be bound: Address already in use; free it, or set another [dns] port"
LOG = (
    "iluvatar-pxe: an older error",
    "Starting iluvatar-pxe.service - iluvatar-pxe netboot provisioning...",
    '{"event": "tls", "level": "info"}',
    f"iluvatar-pxe: {ERROR}",
    '{"event": "stopped", "level": "info"}',
    "iluvatar-pxe.service: Main process exited, code=exited, status=1/FAILURE",
)


def test_the_last_line_that_says_why_counts() -> None:
    assert last_error_of(LOG) == ERROR
    assert last_error_of(LOG[1:3]) == ""
