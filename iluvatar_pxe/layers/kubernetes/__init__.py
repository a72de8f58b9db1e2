"""What the layers know of Kubernetes, whichever program runs it."""
