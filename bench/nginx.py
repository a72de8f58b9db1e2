"""nginx as a peer: one worker, which writes no access log, with the options of Debian's package for files."""

from pathlib import Path

NGINX = "nginx"
_CONFIGURATION = """daemon off;
worker_processes 1;
pid PLACE/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    client_body_temp_path PLACE/body;
    proxy_temp_path PLACE/proxy;
    fastcgi_temp_path PLACE/fastcgi;
    uwsgi_temp_path PLACE/uwsgi;
    scgi_temp_path PLACE/scgi;
    server {
        listen LISTEN;
        LOCATION
    }
}
"""


def nginx(place: Path, listen: str, location: str) -> list[str]:
    """Return the command that serves ``location`` at ``listen``, ``ADDRESS:PORT``, with its files in ``place``."""
    place.chmod(0o755)  # nginx' worker is another user, if this one is root
    text = _CONFIGURATION.replace("PLACE", str(place))
    file = place / "nginx.conf"
    file.write_text(text.replace("LISTEN", listen).replace("LOCATION", location))
    return ["nginx", "-e", "stderr", "-c", str(file)]
