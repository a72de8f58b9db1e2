"""A stand-in for Image Factory on loopback, written from its documented interface: strict, and slow where that is asked of it.

It computes ids by code of its own, so that a mistake of the daemon's shows. What it serves boots nothing by itself: the
files are those that a test gives it, or a line of text.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from support.in_thread import InThread
from support.ports import free_port

EXTENSIONS = tuple(
    f"siderolabs/{name}"
    for name in ("amd-ucode", "gasket-driver", "gvisor", "i915", "iscsi-tools", "util-linux-tools", "zfs")
)
OVERLAYS = (("siderolabs/sbc-raspberrypi", "rpi_generic"), ("siderolabs/sbc-rockchip", "rock4cplus"))
VERSIONS = ("v1.12.11", "v1.13.8", "v1.13.9", "v1.14.0-rc.1", "v1.14.0", "v1.14.1", "v1.15.0-alpha.0")
_ARCHITECTURES = ("amd64", "arm64")
_PATHS = tuple(
    path
    for arch in _ARCHITECTURES
    for path in (f"kernel-{arch}", f"initramfs-{arch}.xz", f"cmdline-metal-{arch}")
)
_KNOWN: Mapping[str, Sequence[str]] = {
    "": ("owner", "overlay", "customization"),
    "overlay": ("image", "name", "options"),
    "customization": (
        *("embeddedMachineConfiguration", "extraKernelArgs", "meta", "systemExtensions"),
        *("bootloader", "secureboot", "diskImage"),
    ),
    "customization.systemExtensions": ("officialExtensions",),
    "customization.secureboot": ("enrollKeys", "includeWellKnownCertificates"),
    "customization.diskImage": ("sectorSize",),
}
"""Keys in the order in which they are written, by where they are."""


def talos_from(address: str) -> str:
    """Return lines of fleet.yaml by which Talos comes from the factory at ``address``, and nothing from anywhere else."""
    pinned = f'sha256: "{"0" * 64}"'  # of no version that is wanted: without, an address of http is refused
    files = [
        f'{{name: "talos/{path}", urls: ["{address}/image/{path}"], arch: {arch}, {pinned}}}'
        for arch in _ARCHITECTURES
        for path in (
            f"{{schematic}}/{{version}}/{name}" for name in (f"kernel-{arch}", f"initramfs-{arch}.xz")
        )
    ]
    talos = f"talos: {{builds: true, files: [{', '.join(files)}]}}"
    ipxe = f'ipxe: {{files: [{{name: ipxe/nothing, urls: ["{address}/nothing"], {pinned}}}]}}'
    return f"assets: {{entries: {{{talos}, {ipxe}}}}}\n"


class Invalid(Exception):  # noqa: N818 - an answer rather than an error
    """A schematic that the factory does not take."""


@dataclass
class SyntheticFactory(InThread):
    """``asked`` has method and path of every request, ``schematics`` the canonical text of each by its id."""

    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    versions: tuple[str, ...] = VERSIONS
    broken: tuple[str, ...] = ("v1.14.1",)
    extensions: tuple[str, ...] = EXTENSIONS
    files: dict[str, bytes | Path] = field(default_factory=dict)
    """By path, such as ``kernel-amd64``, what is served for every schematic."""
    build_seconds: float = 0.0
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By the beginning of paths, status and text that are answered in place of all else."""
    delay: float = 0.0
    """Seconds before any answer."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    schematics: dict[str, str] = field(default_factory=dict)
    built: list[str] = field(default_factory=list)
    _builds: dict[str, asyncio.Task[bytes | Path]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def _start(self) -> None:
        self._slots = asyncio.Semaphore(6)
        app = web.Application(middlewares=[self._first])
        app.router.add_post("/schematics", self._register)
        app.router.add_get("/schematics/{id}", self._describe)
        app.router.add_get("/versions", self._list_versions)
        app.router.add_get("/version/{version}/{kind:extensions|overlays}/official", self._list_offered)
        app.router.add_get("/image/{id}/{version}/{path}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()

    async def _stop(self) -> None:
        for build in self._builds.values():
            build.cancel()
        await self._runner.cleanup()

    @web.middleware
    async def _first(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs))
        self.request_ids.append(request.headers.get("X-Request-ID", ""))
        await asyncio.sleep(self.delay)
        for path, (status, text) in self.answers.items():
            if request.path_qs.startswith(path):
                headers = {"Location": text} if 300 <= status < 400 else {}
                return web.Response(status=status, text=text, headers=headers)
        found: web.StreamResponse = await handler(request)
        return found

    async def _register(self, request: web.Request) -> web.Response:
        try:
            text = canonical(await request.read())
        except Invalid as error:
            return web.Response(status=400, text=f"yaml: unmarshal errors:\n  {error}\n")
        known_as = hashlib.sha256(text.encode()).hexdigest()
        self.schematics[known_as] = text
        return web.json_response({"id": known_as, "schematic": text}, status=201)

    async def _describe(self, request: web.Request) -> web.Response:
        text = self.schematics.get(request.match_info["id"])
        if text is None:
            return web.Response(status=404, text="schematic not found\n")
        return web.Response(text=text, content_type="application/yaml")

    async def _list_versions(self, request: web.Request) -> web.Response:
        return web.json_response(self.broken if request.query.get("broken") == "true" else self.versions)

    async def _list_offered(self, request: web.Request) -> web.Response:
        version = request.match_info["version"]
        if not self._has(version):
            return web.Response(status=404, text=f"version {version} is not available\n")
        if request.match_info["kind"] == "overlays":
            return web.json_response([{"name": name, "image": image} for image, name in OVERLAYS])
        told = {"digest": f"sha256:{'0' * 64}", "author": "a", "description": "d"}
        return web.json_response(
            [{"name": name, "ref": f"{name}:{version}", **told} for name in self.extensions]
        )

    def _has(self, version: str) -> bool:
        return (version if version.startswith("v") else f"v{version}") in self.versions

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Build on GET and HEAD, and send the whole file: no ``Range``, no ``ETag``."""
        known_as, version, path = (request.match_info[key] for key in ("id", "version", "path"))
        if path.endswith((".sha256", ".sha512", ".sigstore.json")):
            return web.Response(status=402, text="checksums need an Enterprise licence\n")
        if known_as not in self.schematics or not self._has(version):
            return web.Response(status=404, text="schematic or version not found\n")
        if path not in _PATHS:
            return web.Response(status=400, text=f"invalid profile: {path}\n")
        if lacking := self._lacking(known_as):
            return web.Response(status=400, text=f"official extension {lacking} is not available\n")
        content = await self._built(f"{known_as}/{version}/{path}")
        octets = await asyncio.to_thread(content.read_bytes) if isinstance(content, Path) else content
        return web.Response(body=octets, headers={"Content-Disposition": f'attachment; filename="{path}"'})

    def _lacking(self, known_as: str) -> str | None:
        customization = yaml.safe_load(self.schematics[known_as])["customization"]
        names = customization.get("systemExtensions", {}).get("officialExtensions", [])
        return next((name for name in names if name not in self.extensions), None)

    async def _built(self, name: str) -> bytes | Path:
        """Return a file when it is built; the build goes on when the client leaves."""
        if name not in self._builds:
            self._builds[name] = self._loop.create_task(self._build(name))
        return await asyncio.shield(self._builds[name])

    async def _build(self, name: str) -> bytes | Path:
        async with self._slots:
            await asyncio.sleep(self.build_seconds)
        self.built.append(name)
        return self.files.get(name.rpartition("/")[2], f"stand-in for {name}\n".encode() * 100)


def canonical(sent: bytes) -> str:
    """Return a schematic as the factory writes it; raises Invalid."""
    try:
        found = yaml.safe_load(sent)
    except yaml.YAMLError as error:
        raise Invalid(str(error)) from error
    document = _checked(found or {}, "")
    if "owner" in document:
        raise Invalid("owner is not supported")
    document.setdefault("customization", {})
    return _written(document, "")


def _checked(found: Any, where: str) -> dict[str, Any]:
    """Return the keys of a mapping in the factory's order, without those that are empty; refuse unknown ones."""
    if not isinstance(found, dict):
        raise Invalid(f"{where or 'schematic'}: cannot unmarshal {type(found).__name__}")
    if unknown := sorted(found.keys() - set(_KNOWN[where])):
        raise Invalid(f"field {unknown[0]} not found in type schematic.{where or 'Schematic'}")
    kept: dict[str, Any] = {}
    for key in _KNOWN[where]:
        inside = f"{where}.{key}".lstrip(".")
        value = found.get(key)
        kept[key] = _checked(value or {}, inside) if inside in _KNOWN else value
    return {key: value for key, value in kept.items() if value not in (None, [], {}, False, "")}


def _written(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        return "".join(f"{indent}{key}:{_below(one, indent)}" for key, one in value.items())
    if isinstance(value, list):
        return "".join(f"{indent}- {_written(one, f'{indent}  ').lstrip(' ')}" for one in value)
    return f"{indent}{_scalar(value)}\n"


def _below(value: Any, indent: str) -> str:
    if value == {}:
        return " {}\n"
    if isinstance(value, dict | list):
        return f"\n{_written(value, f'{indent}    ')}"
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, width=10**6).removesuffix("...\n").rstrip("\n")
