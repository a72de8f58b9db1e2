"""What names there are, and what is remembered of others: DNS without a socket."""
