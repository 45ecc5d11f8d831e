{{/*
What the hooks may do.
*/}}

{{- define "hyn-k8s.prepare.rules" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list]
{{- if .Values.crds.install }}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [create]
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [get, patch]
  resourceNames:
  - searchjobs.hyn-k8s.dev
  - daskautoscalers.kubernetes.dask.org
  - daskclusters.kubernetes.dask.org
  - daskjobs.kubernetes.dask.org
  - daskworkergroups.kubernetes.dask.org
{{- end }}
{{- end }}

{{/* In the release's own namespace: is there an operator of it? */}}
{{- define "hyn-k8s.suspend.ownRules" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list]
{{- end }}

{{- define "hyn-k8s.suspend.rules" -}}
- apiGroups: [hyn-k8s.dev]
  resources: [searchjobs]
  verbs: [list, patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters]
  verbs: [list]
{{- end }}
