"""The stand-in for Talos machines: no Talos runs here, but what it speaks are Talos' protocols, with a real etcd."""
