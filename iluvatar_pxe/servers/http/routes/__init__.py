"""One file for each path of the outside contract."""
