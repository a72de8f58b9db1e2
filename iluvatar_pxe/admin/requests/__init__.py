"""What is asked of the daemon: the fields of each command, without what carries it out, which imports the daemon."""
