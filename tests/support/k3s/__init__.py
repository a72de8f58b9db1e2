"""The stand-in for k3s: no k3s runs here, but its files, tokens and rules are k3s', with a real etcd and real TLS."""
