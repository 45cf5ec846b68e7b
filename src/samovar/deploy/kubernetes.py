"""Kubernetes: a Kustomize base of plain manifests, overlays, and what KServe takes instead.

The manifests use only what every supported minor version has; pod security is ``restricted``.

References
----------
Kubernetes API reference: apps/v1, autoscaling/v2, policy/v1, networking.k8s.io/v1; Pod Security
Standards, "Restricted"; KServe control plane API, serving.kserve.io/v1beta1.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from samovar.deploy.plan import SERVICE_PORT

if TYPE_CHECKING:
    from samovar.deploy.plan import Files, Plan

_DEPLOYMENT = """\
# {name} {version}, bundle {digest}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {label}
  labels: &labels
    app.kubernetes.io/name: {label}
    app.kubernetes.io/managed-by: samovar
  annotations:
    samovar.dev/bundle: {digest}
spec:
  replicas: {replicas}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata:
      labels: *labels
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/path: /metrics
        prometheus.io/port: "{port}"
    spec:
      serviceAccountName: {label}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 40
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile: {{type: RuntimeDefault}}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{app.kubernetes.io/name: {label}}}
      containers:
        - name: service
          image: {image}
          imagePullPolicy: IfNotPresent
          envFrom:
            - configMapRef: {{name: {label}}}
          ports:
            - {{name: http, containerPort: {port}}}
          resources:
            requests: {{cpu: {cpu}, memory: {memory}Mi}}
            limits: {{cpu: {cpu}, memory: {memory}Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
          startupProbe:
            httpGet: {{path: /v2/health/ready, port: http}}
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe:
            httpGet: {{path: /v2/health/ready, port: http}}
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: 2
          livenessProbe:
            httpGet: {{path: /v2/health/live, port: http}}
            periodSeconds: 10
            timeoutSeconds: 3
            failureThreshold: 3
          lifecycle:
            preStop:
              # The endpoints have to forget the pod before it stops listening.
              exec: {{command: [python3, -c, "import time; time.sleep(5)"]}}
"""

_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {label}
  labels: {{app.kubernetes.io/name: {label}}}
spec:
  selector: {{app.kubernetes.io/name: {label}}}
  ports:
    - {{name: http, port: 80, targetPort: http}}
"""

_ACCOUNT = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {label}
automountServiceAccountToken: false
"""

_CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {label}
data:
  SAMOVAR_OFFLINE: "1"
"""

_HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {label}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {label}}}
  minReplicas: {replicas}
  maxReplicas: {most}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {{type: Utilization, averageUtilization: 70}}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 300
"""

_BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {label}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
"""

_NETWORK = """\
# The service is asked on its port and asks nobody: a model has no business on the network.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {label}
spec:
  podSelector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - {{protocol: TCP, port: http}}
  egress: []
"""

_INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {label}
spec:
  rules:
    - host: {label}.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {label}
                port: {{name: http}}
"""

_ROUTE = """\
# For clusters with the Gateway API, in place of base/ingress.yaml.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {label}
spec:
  parentRefs:
    - name: gateway
  hostnames: ["{label}.example.com"]
  rules:
    - backendRefs:
        - {{name: {label}, port: 80}}
"""

_KSERVE = """\
# For clusters with KServe, in place of base/: it makes its own Deployment, Service and autoscaler.
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {label}
  annotations:
    serving.kserve.io/deploymentMode: RawDeployment
    samovar.dev/bundle: {digest}
spec:
  predictor:
    minReplicas: {replicas}
    maxReplicas: {most}
    containers:
      - name: kserve-container
        image: {image}
        ports:
          - {{containerPort: {port}, protocol: TCP}}
        resources:
          requests: {{cpu: {cpu}, memory: {memory}Mi}}
          limits: {{cpu: {cpu}, memory: {memory}Mi}}
        readinessProbe:
          httpGet: {{path: /v2/health/ready, port: {port}}}
        securityContext:
          runAsNonRoot: true
          runAsUser: 65532
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {{drop: [ALL]}}
          seccompProfile: {{type: RuntimeDefault}}
"""

_BASE = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
{resources}
"""

_OVERLAY = """\
# kubectl apply -k overlays/{overlay}
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
{rest}"""

_PRODUCTION = """\
patches:
  - target: {{kind: HorizontalPodAutoscaler, name: {label}}}
    patch: |-
      - op: replace
        path: /spec/minReplicas
        value: {production}
"""

_STAGING = """\
nameSuffix: -staging
replicas:
  - {{name: {label}, count: 1}}
patches:
  - target: {{kind: HorizontalPodAutoscaler, name: {label}}}
    patch: |-
      - op: replace
        path: /spec/minReplicas
        value: 1
"""


def write(plan: Plan) -> Files:
    """Write ``base/``, ``overlays/staging``, ``overlays/production``, and ``options/``."""
    service = plan.service
    values = {
        "name": service.name,
        "version": service.version,
        "label": service.label,
        "digest": service.digest,
        "image": service.image,
        "port": SERVICE_PORT,
        "replicas": plan.replicas,
        "most": max(plan.replicas * 4, plan.replicas + 1),
        "production": max(plan.replicas, 3),
        "cpu": f"{round(plan.cpus * 1000)}m",
        "memory": plan.memory_mib,
    }
    base = {
        "deployment.yaml": _DEPLOYMENT,
        "service.yaml": _SERVICE,
        "serviceaccount.yaml": _ACCOUNT,
        "configmap.yaml": _CONFIG,
        "autoscaler.yaml": _HPA,
        "disruption-budget.yaml": _BUDGET,
        "network-policy.yaml": _NETWORK,
        "ingress.yaml": _INGRESS,
    }
    files = {f"base/{name}": text.format(**values) for name, text in base.items()}
    resources = textwrap.indent("\n".join(f"- {name}" for name in base), "  ")
    files["base/kustomization.yaml"] = _BASE.format(resources=resources)
    for overlay, rest in (("staging", _STAGING), ("production", _PRODUCTION)):
        files[f"overlays/{overlay}/kustomization.yaml"] = _OVERLAY.format(
            overlay=overlay, rest=rest.format(**values)
        )
    files["options/gateway-route.yaml"] = _ROUTE.format(**values)
    files["options/kserve.yaml"] = _KSERVE.format(**values)
    return files
