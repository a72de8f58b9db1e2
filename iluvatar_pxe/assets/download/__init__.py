"""Gets files from their publishers, and checks them."""
