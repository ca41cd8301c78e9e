{{/* The operator's command-line arguments. POD_NAME and POD_NAMESPACE are the replica's name and the Lease's namespace. */}}
{{- define "asyncmcp.args" -}}
- --leader-elect
- --lease-name={{ include "asyncmcp.fullname" . }}
- --admin-listen=0.0.0.0:9464
- --log-level={{ .Values.logLevel }}
- --log-format={{ .Values.logFormat }}
- --dataplane-image={{ include "asyncmcp.image" (dict "image" .Values.dataplane.image "chart" .Chart) }}
- --dataplane-run-as-user={{ include "asyncmcp.id" .Values.dataplane.runAsUser }}
- --dataplane-run-as-group={{ include "asyncmcp.id" .Values.dataplane.runAsGroup }}
- --dataplane-fs-group={{ include "asyncmcp.id" .Values.dataplane.fsGroup }}
{{- range .Values.watchNamespaces | uniq }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.operatorClass }}
- --operator-class={{ . }}
{{- end }}
- --max-rolling-routes={{ int64 .Values.dataplane.maxRollingRoutes }}
- --lock-namespace={{ .Values.lock.namespace }}
{{- if not .Values.secrets.watch }}
- --watch-secrets=false
{{- end }}
{{- end }}
