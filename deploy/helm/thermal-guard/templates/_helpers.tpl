{{- define "thermal-guard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, and the chart's unless the one contains the other. */}}
{{- define "thermal-guard.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "thermal-guard.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "thermal-guard.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "thermal-guard.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "thermal-guard.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What selectors ask for. The name is the rules' `job`, so it isn't overridden by `nameOverride`. */}}
{{- define "thermal-guard.selectorLabels" -}}
app.kubernetes.io/name: thermal-guard
{{- if ne .Release.Name "thermal-guard" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- end }}

{{- define "thermal-guard.labels" -}}
{{ include "thermal-guard.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* name, namespace, labels and annotations of one object: (list $ .Values.podMonitor) */}}
{{- define "thermal-guard.metadata" -}}
{{- $top := index . 0 }}{{ $own := index . 1 -}}
name: {{ include "thermal-guard.fullname" $top }}
namespace: {{ $top.Release.Namespace }}
labels:
  {{- include "thermal-guard.labels" $top | nindent 2 }}
  {{- with $own.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $own.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A node's alerts keep their identity when its pod is replaced: `instance` is the node's name, and the pod's is gone. */}}
{{- define "thermal-guard.relabelings" -}}
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: instance
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
- action: labeldrop
  regex: pod|container
{{- end }}

{{/* The labels of a GPU node. The operator's is no default in values.yaml: Helm would add the labels that one sets to it.
One that is null, as where it was a default, isn't asked for. */}}
{{- define "thermal-guard.nodeSelector" -}}
{{- $labels := dict }}
{{- range $label, $value := .Values.nodeSelector }}
{{- if not (kindIs "invalid" $value) }}{{ $labels = set $labels $label $value }}{{ end }}
{{- end }}
{{- toYaml (default (dict "nvidia.com/gpu.deploy.dcgm-exporter" "true") $labels) }}
{{- end }}

{{/* Where pods run, and by what right they see the driver. */}}
{{- define "thermal-guard.placement" -}}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
nodeSelector:
  {{- include "thermal-guard.nodeSelector" . | nindent 2 }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "thermal-guard.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* The rights, variables and folders of the pods that give back: those of the actuating guard, its configuration among them. */}}
{{- define "thermal-guard.give-back" -}}
env:
  - { name: NVIDIA_VISIBLE_DEVICES, value: all }
  - { name: NVIDIA_DRIVER_CAPABILITIES, value: utility }
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  runAsUser: 0
  readOnlyRootFilesystem: true
  {{- if .Values.driver.hostPath }}
  privileged: true
  {{- else }}
  capabilities: { drop: [ALL], add: [SYS_ADMIN] }
  {{- end }}
volumeMounts:
  - { name: config, mountPath: /etc/thermal-guard, readOnly: true }
  - { name: state, mountPath: /var/lib/thermal-guard }
  - { name: locks, mountPath: /run/thermal-guard }
  {{- if .Values.driver.hostPath }}
  - { name: driver, mountPath: {{ default .Values.driver.hostPath .Values.driver.mountPath }}, readOnly: true, mountPropagation: HostToContainer }
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Refuses what the namespace would refuse later, pod by pod, in events that nobody looks at. */}}
{{- define "thermal-guard.admitted" -}}
{{- if and .Values.lookups (or (eq .Values.mode "actuating") .Values.driver.hostPath) }}
{{- $labels := dig "metadata" "labels" dict (lookup "v1" "Namespace" "" .Release.Namespace) }}
{{- $level := get $labels "pod-security.kubernetes.io/enforce" }}
{{- if has $level (list "baseline" "restricted") }}
{{- $what := ternary "mode `actuating` needs root, SYS_ADMIN and two folders of the host" "`driver.hostPath` needs a privileged pod" (eq .Values.mode "actuating") }}
{{- fail (printf "%s, that is the Pod Security level `privileged`, and namespace %s enforces `%s`. Allow it, or use another namespace:\n  kubectl label --overwrite namespace %s pod-security.kubernetes.io/enforce=privileged" $what .Release.Namespace $level .Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}
