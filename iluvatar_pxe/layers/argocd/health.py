"""What has an app of apps wait for the health of its Applications, wave by wave; Argo CD does not do so by itself."""

from collections.abc import Mapping

HEALTH: Mapping[str, str] = {
    "resource.customizations.health.argoproj.io_Application": (
        'hs = {status = "Progressing", message = ""}\n'
        "if obj.status ~= nil and obj.status.health ~= nil then\n"
        "  hs.status = obj.status.health.status\n"
        "  if obj.status.health.message ~= nil then\n"
        "    hs.message = obj.status.health.message\n"
        "  end\n"
        "end\n"
        "return hs\n"
    )
}
"""The entry of the ConfigMap ``argocd-cm``; see Argo CD's "Resource Health"."""
