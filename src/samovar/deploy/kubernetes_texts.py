"""The texts of the manifests for Kubernetes; ``deploy/kubernetes.py`` fills them in.

References
----------
Kubernetes API reference: apps/v1, autoscaling/v2, policy/v1, networking.k8s.io/v1; Pod Security
Standards, "Restricted"; Gateway API, gateway.networking.k8s.io/v1; KServe control plane API,
serving.kserve.io/v1beta1; Kustomize, kustomize.config.k8s.io/v1beta1.
"""

from __future__ import annotations

from typing import Final

DEPLOYMENT: Final = """\
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
  # No number of replicas: the autoscaler decides, and applying this again does not undo it.
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
          image: "{image}"
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
              {pause}
{mounts}"""

MOUNTS: Final = """\
          volumeMounts:
            # The model of another image in place of this one's, and the job that names it.
            - {{name: model, mountPath: /srv, subPath: srv, readOnly: true}}
            - {{name: model, mountPath: /etc/samovar, subPath: etc/samovar, readOnly: true}}
      volumes:
        - name: model
          image: {{reference: "{model_image}", pullPolicy: IfNotPresent}}
"""

SLEEP: Final = "sleep: {seconds: 5}"
SLEEP_BY_PYTHON: Final = 'exec: {command: [python3, -c, "import time; time.sleep(5)"]}'

SERVICE: Final = """\
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

ACCOUNT: Final = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {label}
automountServiceAccountToken: false
"""

CONFIG: Final = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {label}
data:
  SAMOVAR_OFFLINE: "1"
"""

HPA: Final = """\
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

BUDGET: Final = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {label}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{app.kubernetes.io/name: {label}}}
"""

NETWORK: Final = """\
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

INGRESS: Final = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {label}
spec:
  rules:
    - host: {hostname}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {label}
                port: {{name: http}}
"""

ROUTE: Final = """\
# The Gateway has to be there: it is the cluster's, not the service's.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {label}
spec:
  parentRefs:
    - name: gateway
  hostnames: ["{hostname}"]
  rules:
    - backendRefs:
        - {{name: {label}, port: 80}}
"""

KSERVE: Final = """\
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
        image: "{image}"
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

BASE: Final = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
{resources}
"""

OVERLAY: Final = """\
# kubectl apply -k overlays/{overlay}
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
{suffix}labels:
  # In selectors too: two stages in one namespace are two services.
  - pairs: {{app.kubernetes.io/instance: {overlay}}}
    includeSelectors: true
patches:
  - target: {{kind: HorizontalPodAutoscaler, name: {label}}}
    patch: |-
      - op: replace
        path: /spec/minReplicas
        value: {least}
{more}"""

STAGING: Final = """\
      - op: replace
        path: /spec/maxReplicas
        value: 2
"""

STAGING_INGRESS: Final = """\
  - target: {{kind: Ingress, name: {label}}}
    patch: |-
      - op: replace
        path: /spec/rules/0/host
        value: staging.{hostname}
"""

STAGING_ROUTE: Final = """\
  - target: {{kind: HTTPRoute, name: {label}}}
    patch: |-
      - op: replace
        path: /spec/hostnames/0
        value: staging.{hostname}
      # Kustomize does not know that this is the name of a Service.
      - op: replace
        path: /spec/rules/0/backendRefs/0/name
        value: {label}-staging
"""
