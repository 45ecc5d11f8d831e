{{/*
Who may reach a search beside its own pods: the operator, dask's controller, and whom the values
name. As a list of peers of a NetworkPolicy.
*/}}
{{- define "hyn-k8s.controllers" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .Release.Namespace | quote }}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: hyn-k8s
      app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- if not .Values.daskController.enabled }}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: dask-kubernetes-operator
  namespaceSelector:
    {{- with .Values.daskController.namespace }}
    matchLabels:
      kubernetes.io/metadata.name: {{ . | quote }}
    {{- else }}
    matchLabels: {}
    {{- end }}
{{- end }}
{{- with .Values.networkPolicies.from }}
{{ toYaml . }}
{{- end }}
{{- end }}
