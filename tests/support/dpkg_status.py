"""Lists of packages as dpkg keeps them, for images that a seed card is made of."""

_INSTALLED = "Package: {}\nStatus: install ok installed\nMulti-Arch: same\nArchitecture: {}\nVersion: {}\n"
PYTHON = _INSTALLED.format("python3", "arm64", "3.12.3-0ubuntu2")
LIBC = _INSTALLED.format("libc6", "arm64", "2.39-0ubuntu8")
CLOUD_INIT = _INSTALLED.format("cloud-init", "all", "26.1-0ubuntu1~24.04.1")
GIT = _INSTALLED.format("git", "arm64", "1:2.43.0-1ubuntu7")
SEEDABLE = f"{PYTHON}\n{LIBC}\n{CLOUD_INIT}\n{GIT}"
"""Of Ubuntu 24.04."""
