"""The names of the catalogue's entries, for checks of a fleet, which must not depend on a file beside the program."""

IPXE = "ipxe"
"""Wanted by every fleet."""
TALOS = "talos"
"""Wanted by layers of kind talos, in the version that they name."""
ARGO_CD = "argo-cd"
"""Wanted by layers of kind talos whose configurations the daemon makes."""
CHART_OF_ARGO_CD = "chart-argo-cd"
"""Wanted by layers of kind k3s whose machines the daemon configures."""
K3S = "k3s"
"""Wanted by layers of kind k3s, in the version that they name."""
PROVISIONING = "provisioning-system"
"""Wanted by layers of kind k3s, and the folder of the assets with what it gives."""
FIRMWARE = ("raspberry-pi-firmware-2710", "raspberry-pi-firmware-2711")
"""Wanted by layers of kind k3s."""
IMAGES = ("raspios-lite", "ubuntu-24.04", "ubuntu-26.04")
"""Wanted by the name of an image, which has the version in it."""
NAMES = frozenset(
    {
        *(IPXE, TALOS, K3S, PROVISIONING, *FIRMWARE, *IMAGES),
        *("raspberry-pi-eeprom-2711", "raspberry-pi-eeprom-2712"),
        *(ARGO_CD, CHART_OF_ARGO_CD, "longhorn", "metallb", "system-upgrade-controller"),
        *("chart-argocd-apps", "chart-longhorn"),
        *("chart-metallb", "chart-sealed-secrets", "chart-traefik"),
    }
)
"""All entries that come with the daemon."""
