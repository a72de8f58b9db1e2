"""How the templates are rendered that a reply is made of."""

from collections.abc import Mapping

from jinja2 import DictLoader, Environment, StrictUndefined


def environment_of(templates: Mapping[str, str]) -> Environment:
    """Return an environment of these templates, by file name; each is compiled when it is used first.

    It escapes nothing: scripts do by ``on_screen``, and for ``config.txt`` the fleet's validation lets no line break through.
    """
    return Environment(  # noqa: S701 - no HTML
        loader=DictLoader(templates),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
