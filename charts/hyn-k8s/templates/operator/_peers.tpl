{{/*
Who may reach a search beside its own pods: the operator, dask's controller, and whom the values
name. As a list of peers of a NetworkPolicy.
*/}}
{{- define "hyn-k8s.controllers" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .Release.Namespace }}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: hyn-k8s
      app.kubernetes.io/instance: {{ .Release.Name }}
{{- if not .Values.daskController.enabled }}
- namespaceSelector: {}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: dask-kubernetes-operator
{{- end }}
{{- with .Values.networkPolicies.from }}
{{ toYaml . }}
{{- end }}
{{- end }}
