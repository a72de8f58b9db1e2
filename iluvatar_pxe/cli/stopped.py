"""Why no daemon runs: what systemd says of the service, and which programs have its ports."""

from collections.abc import Iterator
from ipaddress import ip_address

from iluvatar_pxe.host.journal import UNIT, last_error, service_state
from iluvatar_pxe.host.ports import Holder, holders
from iluvatar_pxe.settings.model import Settings


def reasons(settings: Settings) -> Iterator[tuple[str, str]]:
    """Return what is found out, each under a heading and in one line."""
    if state := service_state():
        error = last_error()
        yield "service", f"{UNIT} is {state}" + (f"; last error: {error}" if error else "")
    moves = _moves(settings)
    for holder in holders(moves):
        if holder.unit != UNIT and in_the_way(holder, settings):
            yield f"port {holder.port}", f"{holder.words}; stop it, or set {moves[holder.port]}"


def in_the_way(holder: Holder, settings: Settings) -> bool:
    """Say whether the daemon could not bind its own socket: it binds those of interfaces, and HTTP's of loopback."""
    address = ip_address(holder.address.strip("[]"))
    if holder.protocol not in _protocols(settings)[holder.port]:
        return False
    if address.is_loopback:
        return holder.port in {settings.http.port, settings.http.tls_port} and str(address) == "127.0.0.1"
    return address.version == 4 or address.is_unspecified


def _moves(settings: Settings) -> dict[int, str]:
    """Return by port the setting that moves this daemon's own."""
    ports = {
        settings.tftp.port: "another [tftp] port, which firmware does not know",
        settings.http.port: "another [http] port",
        settings.http.tls_port: "another [http] tls_port",
        settings.talos.event_port: "another [talos] event_port",
        settings.talos.kernel_log_port: "another [talos] kernel_log_port",
    }
    if settings.dns.enabled:
        ports[settings.dns.port] = "another [dns] port, or [dns] enabled = false"
    return ports


def _protocols(settings: Settings) -> dict[int, frozenset[str]]:
    tcp, udp = frozenset({"tcp"}), frozenset({"udp"})
    return {
        settings.tftp.port: udp,
        settings.http.port: tcp,
        settings.http.tls_port: tcp,
        settings.dns.port: tcp | udp,
        settings.talos.event_port: tcp,
        settings.talos.kernel_log_port: tcp | udp,
    }
