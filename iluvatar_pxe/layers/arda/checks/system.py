"""What Talos requires of the system: logs, images, services, variables. Read from v1.13.9 and v1.14.1. Pure."""

from collections.abc import Iterator
from typing import Any

from iluvatar_pxe.layers.arda.checks import formats as form
from iluvatar_pxe.layers.arda.checks.expressions import is_expression
from iluvatar_pxe.layers.arda.checks.rule import (
    Rules,
    at,
    both,
    exactly_one_of,
    excludes,
    has,
    is_a,
    is_true,
    keys_are,
    lasts,
    needs,
    needs_one_of,
    unique,
    where,
    words,
)
from iluvatar_pxe.layers.arda.checks.variables import OOM_RANKING, OOM_TRIGGER
from iluvatar_pxe.layers.arda.schema import Finding

_NOT_EMPTY = form.Form(bool, "there", "net.core.somaxconn")
_OF_TALOS = frozenset(
    [
        *("resolv.conf", "hosts", "machine-id", "extensions.yaml", "localtime", "os-release", "xattr.conf"),
        *("apparmor.d", "apparmor", "ca-certificates", "cni", "cri", "iscsi", "kubernetes", "lvm", "nvme"),
        *("pki", "selinux", "ssl"),
    ]
)
"""Files and folders of /etc."""
_ETC_FILE = form.Form(
    lambda path: (
        not path.startswith((".", "/"))
        and ".." not in path.split("/")
        and path.partition("/")[0] not in _OF_TALOS
    ),
    "a path below /etc that Talos leaves to you",
    "foo.d/bar.conf",
)


def _verified(rule: Any) -> Iterator[Finding]:
    """A rule for images lets them pass, refuses them, or names one way to verify them."""
    if not isinstance(rule, dict):
        return
    flags = [key for key in ("skip", "deny") if is_true(rule, key)]
    ways = [key for key in ("keyless", "publicKey") if has(rule, key)]
    if len(flags) + len(ways) > 1:
        yield (), f"has {' and '.join(flags + ways)}, which exclude each other; keep one"
    if not flags and not ways:
        yield (), "has neither skip, deny, keyless nor publicKey; add one"


RULES: Rules = {
    "": (
        (
            "machine.logging.destinations[]",
            both(needs("endpoint", "format"), at("endpoint", is_a(form.url("tcp", "udp", has_host=True)))),
        ),
        (
            "machine.features.hostDNS",
            where(lambda dns: is_true(dns, "forwardKubeDNSToHost"), needs("enabled")),
        ),
        ("machine.features.nodeAddressSortAlgorithm", words("v1", "v2")),
    ),
    "ContainerConfig": (
        (
            "name",
            is_a(
                form.matches(
                    r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
                    "a name of small letters, digits and hyphens",
                    "web",
                )
            ),
        ),
        ("environment[]", is_a(form.Form(lambda text: "=" in text, "KEY=value", "TZ=UTC"))),
        ("mounts[]", exactly_one_of("userVolume", "tmpfs", "hostPath")),
    ),
    "CRICustomizationConfig": (("name", is_a(form.QUALIFIED)),),
    "EnvironmentConfig": (("variables", keys_are(form.VARIABLE)),),
    "EtcFileConfig": (("name", is_a(_ETC_FILE)),),
    "EventSinkConfig": (("endpoint", is_a(form.HOST_PORT)),),
    "ExtensionServiceConfig": (
        ("", needs_one_of("configFiles", "environment")),
        ("configFiles[]", needs("content", "mountPath")),
        ("configFiles", unique("mountPath")),
    ),
    "ImageVerificationConfig": (
        ("rules[]", both(needs("image"), _verified)),
        ("rules[].keyless", both(needs("issuer"), needs_one_of("subject", "subjectRegex"))),
        ("rules[].publicKey", needs("certificate")),
    ),
    "KmsgLogConfig": (("url", is_a(form.url("tcp", "udp", has_port=True, has_path=False))),),
    "OOMConfig": (
        ("triggerExpression", is_expression(OOM_TRIGGER)),
        ("cgroupRankingExpression", is_expression(OOM_RANKING)),
        ("sampleInterval", lasts(0, "100ms or more")),
    ),
    "RegistryAuthConfig": (
        ("", excludes("username", "identityToken")),
        ("", excludes("auth", "username", "identityToken")),
    ),
    "RegistryMirrorConfig": (
        ("endpoints[].url", is_a(form.url("http", "https"))),
        ("endpoints[]", needs("url")),
    ),
    "RegistryTLSConfig": (("ca", is_a(form.CERTIFICATE)),),
    "SideroLinkConfig": (("apiUrl", is_a(form.url("https", "grpc", has_path=False))),),
    "SysctlConfig": (("params", keys_are(_NOT_EMPTY)),),
    "SysfsConfig": (("params", keys_are(_NOT_EMPTY)),),
    "WatchdogTimerConfig": (("timeout", lasts(10, "10s or more")),),
}
"""By kind; also of kinds that only one of the versions has."""
