"""The fleet's files to a Fleet, purely: everything wrong is found and named at once."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import ArdaLayer, Boot, Fleet, FleetFile, ListedMachine, MachineFile
from iluvatar_pxe.fleet.yamlfile import Findings, ModelT, build_model, line_of, parse_yaml

FLEET_FILE, ARDA_FILE = "fleet.yaml", "layers/arda.yaml"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SCRIPT = re.compile(r"#!ipxe\s")
_KNOWN_FOLDERS = ("layers", "machines")


def parse_fleet(files: Mapping[str, str]) -> Fleet:
    """Build the declared state from texts by path; raises FleetError with one line per fault."""
    return _Parser(files).parse()


class _Parser:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.findings = Findings()

    def parse(self) -> Fleet:
        settings = self._model(FLEET_FILE, FleetFile)
        arda = self._model(ARDA_FILE, ArdaLayer) if ARDA_FILE in self.files else None
        by_mac = self._machines()
        for arch, boot in settings.unlisted.items() if settings else ():
            self._check_boot(FLEET_FILE, ("unlisted", arch.value), boot)
        self._unknown_files()
        if self.findings.lines or settings is None:
            raise FleetError(self.findings.lines)
        return Fleet(
            settings,
            arda,
            by_mac,
            {path: text for path, text in self.files.items() if not is_declaration(path)},
        )

    def _model(self, path: str, model: type[ModelT]) -> ModelT | None:
        if path not in self.files:
            self.findings.add(path, 1, "is missing; create it, an empty file will do")
            return None
        document = parse_yaml(path, self.files[path], self.findings)
        return None if document is None else build_model(path, document, model, self.findings)

    def _machines(self) -> dict[str, ListedMachine]:
        by_mac: dict[str, ListedMachine] = {}
        for path in sorted(self.files):
            folder, name = PurePosixPath(path).parent.as_posix(), PurePosixPath(path).stem
            if folder != "machines" or not path.endswith(".yaml"):
                continue
            if not _NAME.fullmatch(name):
                self.findings.add(path, 1, "its name is no host name; use a-z, 0-9 and '-'")
            machine = self._model(path, MachineFile)
            if machine:
                self._check_boot(path, (), machine)
                self._list(path, ListedMachine(name, machine), by_mac)
        return by_mac

    def _list(self, path: str, machine: ListedMachine, by_mac: dict[str, ListedMachine]) -> None:
        for index, mac in enumerate(machine.file.match.macs):
            if mac in by_mac:
                other = f"machines/{by_mac[mac].name}.yaml"
                text = f"{mac} is listed in {other} already; remove it from one of them"
                self._add(path, ("match", "macs", index), text)
            by_mac[mac] = machine

    def _check_boot(self, path: str, location: tuple[int | str, ...], boot: Boot) -> None:
        if boot.chain == "talos" and ARDA_FILE not in self.files:
            self._add(path, (*location, "chain"), f"chain talos needs {ARDA_FILE}; create it")
        for key, file in (("config", boot.config), ("script", boot.script)):
            if file is not None and file not in self.files:
                self._add(
                    path,
                    (*location, key),
                    f"{file} is no text file of the fleet; create it or correct the path",
                )
            elif file is not None and is_declaration(file):
                self._add(path, (*location, key), f"{file} is read as part of the fleet; name another file")
        if boot.script is not None and not _SCRIPT.match(self.files.get(boot.script, "#!ipxe\n")):
            self.findings.add(boot.script, 1, "is no iPXE script; its first line must be #!ipxe")

    def _unknown_files(self) -> None:
        for path in sorted(self.files):
            if path.startswith(tuple(f"{folder}/" for folder in _KNOWN_FOLDERS)):
                known = path == ARDA_FILE or re.fullmatch(r"machines/[^/]+\.yaml", path)
                if not known:
                    self.findings.add(
                        path, 1, "is not read; machines are machines/NAME.yaml, the layer layers/arda.yaml"
                    )

    def _add(self, path: str, location: tuple[int | str, ...], text: str) -> None:
        document = parse_yaml(path, self.files[path], Findings())
        self.findings.add(path, line_of(document, location) if document is not None else 1, text)


def is_declaration(path: str) -> bool:
    """Say whether a file of the fleet declares something itself; others are only named by those that do."""
    return path == FLEET_FILE or path.startswith(tuple(f"{folder}/" for folder in _KNOWN_FOLDERS))
