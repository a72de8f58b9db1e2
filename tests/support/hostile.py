"""Texts that would do something in a page that does not escape them."""

SCRIPT = "<script>alert(1)</script>"
QUOTES = '"\' onmouseover=alert(1) x="'
