"""OpenSSL's own tools on what the daemon makes, and certificates of somebody else."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.waiting import PATIENCE


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program that reads nothing."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def openssl(*arguments: str) -> str:
    """Return what ``openssl`` prints; fails when it does."""
    ended = run("openssl", *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def fingerprint_of(certificate: Path) -> str:
    """Return the SHA-256 fingerprint as OpenSSL writes it."""
    line = openssl("x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha256")
    return line.strip().partition("=")[2]


@dataclass(frozen=True)
class Given:
    """The files of a certificate for localhost that an administrator has got from elsewhere."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path, name: str = "given", *options: str) -> "Given":
        """Make one, of RSA unless ``options`` say otherwise; the files are those of ``name``."""
        made = cls(directory / f"{name}.crt", directory / f"{name}.key")
        kind = options or ("-newkey", "rsa:2048", "-noenc")
        files = ("-keyout", str(made.key), "-out", str(made.certificate))
        subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl("req", "-x509", "-days", "30", *kind, *files, *subject)
        return made

    @property
    def settings(self) -> dict[str, str]:
        """The keys of ``[http]`` that name it."""
        return {"tls_certificate": str(self.certificate), "tls_key": str(self.key)}
