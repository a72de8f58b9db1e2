"""How a repository hosted here is cloned: what is printed works as it stands, also for later pulls and pushes."""

import os

from iluvatar_pxe.gitops.repository.bare import SUFFIX
from iluvatar_pxe.host.interfaces import find_interfaces
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.tls.authority import known_fingerprint


def secure_url(settings: Settings, name: str) -> str:
    """Return the URL of a repository for everybody, by this host's address where it has one."""
    return f"https://{_address(settings)}:{settings.http.tls_port}/git/{name}{SUFFIX}"


def clone_lines(settings: Settings, name: str) -> list[str]:
    """Return what to type on another host; Git keeps the CA's file in the clone's own configuration."""
    url = secure_url(settings, name)
    if settings.http.tls_certificate:
        return [f"  git clone {url}"]
    address = _address(settings)
    file = f"~/iluvatar-pxe-{address}.crt"
    lines = [
        f"  curl --fail --output {file} http://{address}:{settings.http.port}/ca.crt",
        f"  openssl x509 -noout -fingerprint -sha256 -in {file}",
        f"  git clone -c http.sslCAInfo={file} {url}",
    ]
    if fingerprint := known_fingerprint(settings.state_directory / "tls"):
        lines += [
            "",
            f"The file comes unencrypted, so compare before you clone. The fingerprint must be {fingerprint}",
        ]
    return lines


def _address(settings: Settings) -> str:
    try:
        interfaces = find_interfaces(settings.network.interfaces).interfaces
    except OSError:
        interfaces = ()
    return str(interfaces[0].address) if interfaces else os.uname().nodename
