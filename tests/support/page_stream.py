"""The stream of a live page, read as a browser reads it."""

import http.client

from support.html import Page
from support.page_site import PageSite
from support.waiting import PATIENCE


class Stream:
    """A page's stream, read event by event."""

    def __init__(self, site: PageSite, path: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)
        self._connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.answer = self._connection.getresponse()

    def event(self) -> tuple[str, str]:
        """Return the name and the data of the next event."""
        fields: dict[str, list[str]] = {}
        while True:
            octets = self.answer.readline()
            assert octets, "the stream has ended"
            line = octets.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields.setdefault(name, []).append(value)
            elif "data" in fields:
                return fields.get("event", ["message"])[0], "\n".join(fields["data"])
            else:
                fields.clear()

    def until(self, name: str) -> str:
        """Return the data of the next event of this name."""
        while True:
            event, data = self.event()
            if event == name:
                return data

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def stream_of(site: PageSite, page: str) -> str:
    """Return the address of the stream that a page opens."""
    (element,) = [one for one in Page(site.get(page)[1]).all("div") if "sse-connect" in one.attributes]
    return element.attributes["sse-connect"]
