"""How a person logs in to the web page: one password, and sessions in browsers."""
