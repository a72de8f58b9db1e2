"""Who looks at a page, for its templates."""

from contextvars import ContextVar

from msgspec import Struct


class Visitor(Struct, frozen=True, kw_only=True):
    """One who asks for a page."""

    csrf: str = ""
    """Of who is logged in: what the page's requests that change something have to carry. Empty for all others."""
    said: str = ""
    """What the change came to that has led here."""
    login_url: str = "/login"
    """Where to log in: over TLS, or on this host."""

    @property
    def may_change(self) -> bool:
        """Whether the page's buttons would do something."""
        return bool(self.csrf)


_NOBODY = Visitor()
_visitor: ContextVar[Visitor] = ContextVar("visitor")


def look_as(visitor: Visitor) -> None:
    """Have this one look at what the running request renders."""
    _visitor.set(visitor)


def visitor() -> Visitor:
    """Return who looks; nobody at what is rendered for all, outside of a request."""
    return _visitor.get(_NOBODY)
