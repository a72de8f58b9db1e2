"""Argo CD in a layer's cluster: its own manifest, and how it follows the fleet. Pure."""
