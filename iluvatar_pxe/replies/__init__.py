"""Turns plans into replies."""
