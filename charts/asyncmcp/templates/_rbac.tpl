{{/* Roles from the operator's table in files/rbac.yaml (`asyncmcp-operator rbac` prints it). */}}

{{/* The rules of a role: (dict "root" $ "role" "read"). Without secrets.watch, no role may list or patch Secrets: either
permission includes reading them. */}}
{{- define "asyncmcp.rules" -}}
{{- $rules := list }}
{{- range get (.root.Files.Get "files/rbac.yaml" | fromYaml) .role }}
  {{- $resources := .resources }}
  {{- if and (not (has "create" .verbs)) (not $.root.Values.secrets.watch) }}
    {{- $resources = without .resources "secrets" }}
  {{- end }}
  {{- if $resources }}
    {{- $rule := mergeOverwrite (deepCopy .) (dict "resources" $resources) }}
    {{- if and (eq $.role "lock") (not (has "create" .verbs)) }}
      {{- $_ := set $rule "resourceNames" (list (include "asyncmcp.lock" $.root)) }}
    {{- end }}
    {{- $rules = append $rules $rule }}
  {{- end }}
{{- end }}
{{- toYaml $rules }}
{{- end }}

{{/* The name of the Lease that keeps two operators of one class apart, as the operator derives it. */}}
{{- define "asyncmcp.lock" -}}
asyncmcp-operator-lock{{ with .Values.operatorClass }}.{{ . }}{{ end }}
{{- end }}

{{/* A role and its binding to the operator's service account: (dict "root" $ "role" "read" "namespace" NAME-OR-NOTHING). */}}
{{- define "asyncmcp.grant" -}}
{{- $name := printf "%s-%s" (include "asyncmcp.fullname" .root) .role }}
{{- $cluster := ternary "Cluster" "" (not .namespace) -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $cluster }}Role
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "asyncmcp.labels" .root | nindent 4 }}
rules:
  {{- include "asyncmcp.rules" . | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $cluster }}RoleBinding
metadata:
  name: {{ $name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "asyncmcp.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $cluster }}Role
  name: {{ $name }}
subjects:
- kind: ServiceAccount
  name: {{ include "asyncmcp.serviceAccount" .root }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}
