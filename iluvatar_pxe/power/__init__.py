"""Switches machines on and off: by Wake-on-LAN, and by what their files name."""
