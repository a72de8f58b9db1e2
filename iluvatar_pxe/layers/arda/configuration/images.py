"""Container images of Kubernetes' parts."""


def kubelet(version: str) -> str:
    """Return the kubelet's image, which Sidero Labs build."""
    return f"ghcr.io/siderolabs/kubelet:{version}"


def kubernetes(component: str, version: str) -> str:
    """Return the image of a part of the control plane, such as ``apiserver``."""
    return f"registry.k8s.io/kube-{component}:{version}"
