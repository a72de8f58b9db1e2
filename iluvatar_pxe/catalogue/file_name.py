"""What a file is called that is saved from its address. Pure."""

from urllib.parse import unquote, urlsplit


def file_name(url: str) -> str:
    """Return the last part of an address' path, empty if it has none."""
    return unquote(urlsplit(url).path).rpartition("/")[2]
