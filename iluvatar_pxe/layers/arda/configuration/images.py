"""Container images of Kubernetes' parts."""


def kubelet(version: str) -> str:
    """Return the kubelet's image, which Sidero Labs build."""
    return f"ghcr.io/siderolabs/kubelet:{version}"


def version_of(image: str) -> str:
    """Return the version that an image's tag says, such as ``v1.36.3``; empty where it has none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2].removesuffix("-fat").removesuffix("-slim")


def kubernetes(component: str, version: str) -> str:
    """Return the image of a part of the control plane, such as ``apiserver``."""
    return f"registry.k8s.io/kube-{component}:{version}"
