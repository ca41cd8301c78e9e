{{/* All derived names and labels. */}}

{{- define "asyncmcp.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters, so that with a suffix such as "-metrics" it fits into the 63 characters of a Service's name. */}}
{{- define "asyncmcp.fullname" -}}
{{- $name := include "asyncmcp.name" . }}
{{- $full := .Release.Name }}
{{- if not (contains $name .Release.Name) }}{{ $full = printf "%s-%s" .Release.Name $name }}{{ end }}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "asyncmcp.serviceAccount" -}}
{{- $default := ternary (include "asyncmcp.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "asyncmcp.selector" -}}
app.kubernetes.io/name: {{ include "asyncmcp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "asyncmcp.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "asyncmcp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: asyncmcp
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* An image reference: (dict "image" {repository, tag, digest} "chart" .Chart). */}}
{{- define "asyncmcp.image" -}}
{{- if .image.digest }}
{{- printf "%s@%s" .image.repository .image.digest }}
{{- else }}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) }}
{{- end }}
{{- end }}

{{/* Formats a number as digits, because Helm parses numbers as floats and prints large ones as 1.00065e+09. Empty for null. */}}
{{- define "asyncmcp.id" -}}
{{- if not (kindIs "invalid" .) }}{{ int64 . }}{{ end }}
{{- end }}
