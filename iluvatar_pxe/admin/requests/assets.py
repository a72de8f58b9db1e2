"""Requests on the boot files that the fleet wants."""

from iluvatar_pxe.admin.requests.files import File
from iluvatar_pxe.admin.requests.request import Request


class AssetsStatus(Request):
    """``assets status``: returns the boot files that the fleet wants, and how far each is."""

    method = "GET"
    route = "/api/v1/assets"


class _OnFiles(Request):
    """``names`` are those of files, of folders or their last parts; without them, all files are meant."""

    names: tuple[str, ...] = ()


class AssetsFetch(_OnFiles):
    """``assets fetch``: fetches what is missing now."""

    route = "/api/v1/assets/fetch"


class AssetsVerify(_OnFiles):
    """``assets verify``: reads what is there again, and fetches again what is damaged."""

    route = "/api/v1/assets/verify"


class AssetsImport(Request):
    """``assets import``: verifies a copy of a file in the assets directory, and puts it into place."""

    route = "/api/v1/assets/import"
    local = "it takes a file of that host"
    name: str
    file: File
    trust: bool = False


class AssetsLeftovers(_OnFiles):
    """``assets gc``: returns the files that the applied commit does not want, and whether ``AssetsGc`` removes them."""

    method = "GET"
    route = "/api/v1/assets/leftovers"


class AssetsGc(_OnFiles):
    """``assets gc --yes``: removes the files that the applied commit does not want; some only if they are named."""

    route = "/api/v1/assets/gc"
