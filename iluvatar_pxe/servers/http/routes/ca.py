"""``/ca.crt``: the CA that clients of the TLS port have to know, for people and programs alike."""

from aiohttp import web

from iluvatar_pxe.servers.http.context import CERTIFICATES

ROUTES = web.RouteTableDef()


@ROUTES.get("/ca.crt")
async def ca_certificate(request: web.Request) -> web.Response:
    """Serve the certificate of the daemon's own CA."""
    authority = request.app[CERTIFICATES].authority
    if authority is None:
        text = "this server has no CA to trust: it uses the certificate of [http] tls_certificate, or /readyz says why"
        raise web.HTTPNotFound(text=text)
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=authority.document, content_type="application/x-x509-ca-cert", headers=headers)
