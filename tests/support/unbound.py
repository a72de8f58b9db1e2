"""The real unbound as an upstream, with names of its own and no Internet."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from support.dig import dig
from support.ports import free_port
from support.waiting import wait_until

ADDRESS = "203.0.113.7"
"""Of every name below ``outside.example``; that has also texts, which fill more than a datagram."""
TTL = 300
_TEXTS = "".join(
    f"""  local-data: 'outside.example. {TTL} IN TXT "{n:02} {"x" * 200}"'\n""" for n in range(9)
)
_CONFIG = """
server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  verbosity: 1
  log-queries: yes
  module-config: "iterator"
  num-threads: 1
  local-zone: "outside.example." redirect
  local-data: "outside.example. {ttl} IN A {address}"
{texts}
  local-zone: "brief.example." redirect
  local-data: "brief.example. 1 IN A {address}"
  local-zone: "gone.example." static
  local-data: "gone.example. 60 IN SOA ns.gone.example. root.gone.example. 1 2 3 4 60"
  local-zone: "broken.example." always_refuse
{more}
"""


class Unbound:
    """Runs while the ``with`` block does, on a port of loopback."""

    def __init__(self, directory: Path, more: Sequence[str] = ()) -> None:
        """``more`` are further lines of its section ``server:``."""
        self.port = free_port()
        self._log = directory / "unbound.log"
        self._config = directory / "unbound.conf"
        lines = "".join(f"  {line}\n" for line in more)
        text = _CONFIG.format(
            port=self.port, directory=directory, ttl=TTL, address=ADDRESS, texts=_TEXTS, more=lines
        )
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            command = ["unbound", "-d", "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, "unbound to answer")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it: its port is closed then."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def asked(self, name: str) -> int:
        """Return how often it was asked for a name, in any spelling."""
        return self._log.read_text(encoding="utf-8").lower().count(f" {name.lower()}. ")

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
        return bool(dig(self.port, "up.outside.example", "+time=1").values)
