"""Ways by HTTP: what a request says of itself, and where it asks."""

import base64
import struct
from urllib.parse import quote, urlencode
from uuid import UUID

from support.rogue.knowledge import Target
from support.rogue.ways import By, Chance, Way, kind

from iluvatar_pxe.wire.pxe import SIMULATED

URL64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
METHODS = ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "COPY", "get", "Get")
ADDRESS_HEADERS = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "True-Client-IP", "X-Client-IP",
                   "CF-Connecting-IP", "X-Originating-IP", "X-Remote-Addr", "X-Cluster-Client-IP")  # fmt: skip
ROUTES = ("/config.yaml", "/machine-config", "/config", "/talos", "/talos/", "/generic", "/ignition", "/metadata",
          "/user-data", "/cloud-init", "/v1/config", "/secrets", "/clusters/arda.secrets.age", "/kubeconfig",
          "/talosconfig", "/readyz", "/metrics", "/debug", "/.git/config", "/fleet.git/HEAD", "/state/age.key",
          "/api/v1/machines", "/api/v1/clusters/arda/secrets", "/api/v1/clusters/arda/talosconfig",
          "/api/v1/clusters/arda/kubeconfig", "/api/v1/machines/NAME", "/api/v1/plans/NAME", "/ca.key", "/ca.crt",
          "/schemas/talos", "/refresh", "/hooks/fleet", "/boot.ipxe", "/autoexec.ipxe")  # fmt: skip


def request(target: str, method: str = "GET", body: str = "", **headers: str) -> bytes:
    """Return a request; ``_`` in a header's name stands for ``-``."""
    lines = {"Host": "10.77.0.2:8080", "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n{body}".encode("utf-8", "surrogateescape")


def target_of(chance: Chance) -> Target:
    return chance.dice.choice(chance.known.targets)


def config_of(ticket: str) -> str:
    return f"/talos/{ticket}/config.yaml"


def claim(chance: Chance, target: Target, *always: str) -> str:
    """Return what asks for a script in a machine's name, as much of it as chance says."""
    told = {
        "net0": target.mac, "net1": target.mac, "uuid": target.uuid, "serial": target.serial,
        "manufacturer": target.manufacturer, "product": target.product, "arch": chance.one("x86_64", "i386", "arm64"),
        "platform": chance.one("efi", "pcbios"), "version": chance.one("1.21.1", "2.0.0+"),
        "waited": str(chance.dice.randint(0, 999)), "choice": chance.one("talos", "local", target.name),
        "ticket": chance.dice.choice(chance.known.live), "layer": "arda", "role": "controlplane",
    }  # fmt: skip
    mac = target.mac if "mac" in always or chance.dice.random() < 0.7 else chance.known.mac
    return urlencode({"mac": _spelt(chance, mac)} | chance.some(told))


def _spelt(chance: Chance, mac: str) -> str:
    return chance.one(mac, mac.upper(), mac.replace(":", "-"), mac.replace(":", ""), f" {mac}", f"{mac}\0")


def asks(chance: Chance, *always: str) -> str:
    """Return a target that asks for a script, or redeems a ticket that is alive."""
    script = chance.one("/ipxe", "/ipxe", "/ipxe/confirm", "/ipxe/refuse")
    return chance.one(
        f"{script}?{claim(chance, target_of(chance), *always)}", config_of(chance.one(*chance.known.live))
    )


@kind
def another_s_identity(chance: Chance) -> Way:
    """With a body that nobody reads, so that the target may be odd."""
    return Way("", By.HTTP, request(f"/ipxe?{claim(chance, target_of(chance))}"))


@kind
def the_screen_of_another(chance: Chance) -> Way:
    path = chance.one("/ipxe/confirm", "/ipxe/refuse", "/ipxe/menu", "/ipxe/")
    return Way("", By.HTTP, request(f"{path}?{claim(chance, target_of(chance), 'mac')}"))


@kind
def an_address_in_a_header(chance: Chance) -> Way:
    address = target_of(chance).address
    spelt = chance.one(
        address, f"for={address}", f'for="{address}:50000";by=10.77.0.2', f"{address}, 10.77.0.2"
    )
    named = chance.some(dict.fromkeys(ADDRESS_HEADERS, spelt))
    return Way("", By.HTTP, request(asks(chance), **named))


@kind
def another_host(chance: Chance) -> Way:
    target = target_of(chance)
    host = chance.one(target.name, target.address, "localhost", "127.0.0.1", f"api.arda.{chance.known.domain}", "",
                      f"git.{chance.known.domain}", "[::1]", f"10.77.0.2:{chance.dice.randint(1, 65535)}")  # fmt: skip
    asked = asks(chance)
    absolute = chance.one("", f"http://{host}", f"http://{target.address}@{host}", f"//{host}")
    return Way("", By.HTTP, request(f"{absolute}{asked}", Host=host, X_Original_URL=asked))


@kind
def paths(chance: Chance) -> Way:
    """Odd spellings of a path: of a ticket's, or of one of the daemon's own files."""
    files = [
        f"{chance.one('/assets', '/talos', '/git', '/schemas', '')}/..{file}" for file in chance.known.files
    ]
    path = chance.one(config_of(chance.one(*chance.known.tickets)), *files)
    for _ in range(chance.dice.randint(1, 3)):
        path = _odd(chance, path)
    return Way("", chance.dice.choice((By.HTTP, By.HTTPS)), request(path))


def _odd(chance: Chance, path: str) -> str:
    slash = chance.dice.choice([place for place, char in enumerate(path) if char == "/"] or [0])
    put = chance.one("/", "/.", "/..", "/%2e%2e", "/%252e%252e", "/..;", "/%c0%ae%c0%ae", "\\..", "/x/..", "%2f", "%5c",
                     "/%00", "/./.", "/%20", "/....//", "//")  # fmt: skip
    return chance.one(
        path[:slash] + put + path[slash:], path.upper(), path.replace("/", "%2F"), path + chance.one("?", "#", "%00",
        "/", ".", "~", ".bak", ";x", "%0d%0aX: y", "?x=" + put), quote(path), path.replace("config.yaml", "config%2eyaml"),
    )  # fmt: skip


@kind
def tickets_of_others(chance: Chance) -> Way:
    target = config_of(chance.one(*chance.known.tickets))
    agent = chance.one("Talos/1.13", "iPXE/1.21.1", "Go-http-client/1.1", "curl/8.0", "wget", "")
    headers = {
        "Accept": chance.one("*/*", "application/yaml", "text/html", "multipart/*"),
        "User_Agent": agent,
    }
    cookie = f"ticket={chance.one(*chance.known.tickets)}"
    return Way("", chance.dice.choice((By.HTTP, By.HTTPS)), request(target, **headers, Cookie=cookie))


@kind
def dead_tickets(chance: Chance) -> Way:
    query = urlencode({chance.one("m", "mac", "uuid", "t"): chance.text(URL64, 8)})
    return Way("", By.HTTP, request(f"{config_of(chance.one(*chance.known.tickets[::-1]))}?{query}"))


@kind
def changed_tickets(chance: Chance) -> Way:
    return Way("", By.HTTP, request(config_of(_changed(chance, chance.one(*chance.known.tickets)))))


def _changed(chance: Chance, ticket: str) -> str:
    place, other = chance.dice.randrange(len(ticket)), chance.one(*chance.known.tickets)
    octets = bytearray(base64.urlsafe_b64decode(ticket))
    octets[chance.dice.randrange(len(octets))] ^= 1 << chance.dice.randrange(8)
    return chance.one(
        base64.urlsafe_b64encode(octets).decode(), ticket[:place], ticket + chance.text(URL64, 4),
        ticket[:place] + other[place:], other[:place] + ticket[place:], ticket.swapcase(), ticket + "=" * 4,
        ticket[:place] + "%00" + ticket[place:], ticket[:place] + "." + ticket[place:], ticket[::-1],
        ticket.replace("-", "+").replace("_", "%2F"), ticket[place:], f"{ticket},{other}", quote(ticket + "\u00e9"),
    )  # fmt: skip


@kind
def guessed_tickets(chance: Chance) -> Way:
    boot = chance.dice.choice((0, 1, 2, 3, chance.dice.randrange(2**32)))
    claimed = struct.pack("!16sI", UUID(target_of(chance).id).bytes, boot)
    guessed = base64.urlsafe_b64encode(claimed + chance.dice.choice((bytes(16), chance.dice.randbytes(16))))
    return Way("", By.HTTP, request(config_of(chance.one(guessed.decode(), chance.text(URL64, 48)))))


@kind
def methods(chance: Chance) -> Way:
    method = chance.one(*METHODS)
    override = chance.one("", "GET", "HEAD")
    body = chance.one("", "mac=" + target_of(chance).mac)
    return Way("", By.HTTP, request(asks(chance), method, body, X_HTTP_Method_Override=override))


@kind
def ranges_and_caches(chance: Chance) -> Way:
    first = chance.dice.randrange(4096)
    headers = chance.some({
        "Range": f"bytes={first}-{chance.one('', str(first + 10), '0')}", "If-None-Match": chance.one("*", '"x"'),
        "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT", "If-Match": "*", "If-Range": '"x"', "Age": str(first),
        "Cache-Control": chance.one("only-if-cached", "max-stale"), "Accept-Encoding": chance.one("gzip", "br", "zstd"),
        "Pragma": "no-cache", "Expect": chance.one("100-continue", ""), "TE": "trailers",
    })  # fmt: skip
    return Way("", By.HTTP, request(asks(chance), **headers))


@kind
def simulated_machines(chance: Chance) -> Way:
    agent = f"{chance.one('', 'iPXE/1.21 ')}{SIMULATED.decode()}{chance.one('', '/1', ' x')}"
    return Way("", By.HTTP, request(asks(chance), User_Agent=agent))


@kind
def races(chance: Chance) -> Way:
    return Way("", By.HTTP, request(asks(chance)), together=chance.dice.randint(2, 8))


@kind
def requests_in_requests(chance: Chance) -> Way:
    inner = request(asks(chance), **{chance.one(*ADDRESS_HEADERS): target_of(chance).address}).decode(
        "latin-1"
    )
    size = chance.one(str(len(inner)), "0", "5", f"+{len(inner)}")
    headers = {"Content_Length": size, "Transfer_Encoding": chance.one("", "chunked", "x, chunked")}
    method = chance.one("GET", "POST")
    outer = request("/healthz", method, Connection="keep-alive", **headers)
    return Way(
        "",
        By.HTTP,
        outer + chance.one("", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n").encode() + inner.encode("latin-1"),
    )


@kind
def other_routes(chance: Chance) -> Way:
    path = chance.one(*ROUTES).replace("NAME", target_of(chance).name)
    method = chance.one("GET", "GET", "POST")
    named = chance.one("", "?" + claim(chance, target_of(chance)))
    return Way(
        "", chance.dice.choice((By.HTTP, By.HTTPS)), request(path + named, method, "{}" * (method == "POST"))
    )


@kind
def files_by_checksum(chance: Chance) -> Way:
    checksum = chance.one(*chance.known.checksums, chance.text("0123456789abcdef", 64))
    spelt = chance.one(checksum, checksum.upper(), checksum + chance.one(".yaml", ".age", "/", "%00"))
    kind_of = chance.one("by-sha256", "by-sha512", "by-sha256/..", "BY-SHA256")
    return Way("", By.HTTP, request(f"/assets/{kind_of}/{spelt}"))


@kind
def git_without_a_token(chance: Chance) -> Way:
    name = chance.one("fleet", "fleet.git", "apps", "arda", "../fleet.git", "fleet.git/.", "FLEET.git")
    tail = chance.one("info/refs?service=git-upload-pack", "info/refs?service=git-receive-pack", "HEAD", "config",
                      "objects/info/packs", "git-upload-pack", "info/refs", "info/lfs/objects/batch", "index")  # fmt: skip
    user = f"{chance.one('me', 'git', 'argocd/arda', '')}:{chance.one('', 'ilu_' + chance.text(URL64, 30))}"
    given = chance.one("", "Basic " + base64.b64encode(user.encode()).decode(), "Bearer x")
    method = "POST" if tail == "git-upload-pack" else "GET"
    body = "0032want 0000000000000000000000000000000000000000\n00000009done\n" if method == "POST" else ""
    kind_of = "application/x-git-upload-pack-request" if body else ""
    headers = {"Authorization": given, "Content_Type": kind_of, "Git_Protocol": chance.one("", "version=2")}
    return Way(
        "", chance.dice.choice((By.HTTP, By.HTTPS)), request(f"/git/{name}/{tail}", method, body, **headers)
    )
