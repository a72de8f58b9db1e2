"""Reads a page as a browser would, but strictly: what is opened is closed, in order."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}


@dataclass
class Element:
    """One element; ``words`` are its texts and those of the elements in it."""

    name: str
    attributes: dict[str, str]
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


class Page(HTMLParser):
    """All elements of a page in their order; an AssertionError for one that is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open[-1].name}"
        ids = [one.attributes["id"] for one in self.elements if "id" in one.attributes]
        assert len(ids) == len(set(ids)), "an id is there twice"
        labels = [one.attributes.get("aria-labelledby") for one in self.elements]
        assert set(filter(None, labels)) <= set(ids), "a label is not there"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"nothing is open that </{tag}> closes"
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.words.append(data)

    def all(self, name: str, /, **attributes: str) -> list[Element]:
        """Return the elements of a name that have these attributes."""
        return [
            one for one in self.elements if one.name == name and attributes.items() <= one.attributes.items()
        ]

    def texts(self, name: str, **attributes: str) -> list[str]:
        return [one.text for one in self.all(name, **attributes)]
