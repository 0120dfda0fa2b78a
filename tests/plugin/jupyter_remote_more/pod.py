"""`type: pod`: a pod of Kubernetes (`plugin.pod`, `plugin.namespace`); `kubectl exec` leads there."""

from __future__ import annotations

from jupyter_remote.config_models import HostConfig
from jupyter_remote.hosts.registry import Kind
from jupyter_remote.transports import Prompter, Transport
from jupyter_remote.transports.process import ProcessTransport

KIND = Kind(
    summary="a pod of Kubernetes, reached by kubectl",
    transport=lambda host: "pod",
    lacks=lambda host: "" if host.plugin.get("pod") else "`plugin.pod`, the name of the pod",
)


def transport(host: HostConfig, ask: Prompter | None) -> Transport:
    namespace = str(host.plugin.get("namespace", "default"))
    argv = ("kubectl", "exec", "-i", "-n", namespace, str(host.plugin["pod"]), "--")
    return ProcessTransport("pod", host.name, argv)
