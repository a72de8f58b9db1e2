"""The daemon's client of the etcd of a k3s cluster."""
