"""Changes of a machine configuration as Talos' own strategic merge makes them. Pure."""
