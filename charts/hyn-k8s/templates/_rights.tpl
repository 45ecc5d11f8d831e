{{/*
What the controllers may do, each no more than it does; and the Roles or ClusterRoles that say so.
*/}}

{{/* In every namespace that it watches. */}}
{{- define "hyn-k8s.operator.rules" -}}
- apiGroups: [hyn-k8s.dev]
  resources: [searchjobs]
  verbs: [get, list, watch, delete]
- apiGroups: [hyn-k8s.dev]
  resources: [searchjobs/status]
  verbs: [patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [kubernetes.dask.org]
  resources: [daskworkergroups]
  verbs: [list, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [list, delete]
- apiGroups: [""]
  resources: [configmaps, persistentvolumeclaims]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
{{- if .Values.networkPolicies.enabled }}
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create, patch]
{{- end }}
{{- end }}

{{/* Enough for DaskClusters. DaskJobs and DaskAutoscalers it only watches: no search has any. */}}
{{- define "hyn-k8s.daskController.rules" -}}
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters]
  verbs: [list, watch, patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskworkergroups]
  verbs: [get, list, watch, create, patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskworkergroups/scale]
  verbs: [patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskautoscalers, daskjobs]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, create, delete]
{{- end }}

{{/* Of the cluster as a whole: by these kopf notices kinds that are defined later. */}}
{{- define "hyn-k8s.clusterRules" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}

{{/*
The rules for an account, from a dict of root, component, name, clusterName, rules:
a ClusterRole, or with watchNamespaces a Role in each of these and nothing beside.
*/}}
{{- define "hyn-k8s.rights" -}}
{{- $ := . }}
{{- range uniq .root.Values.watchNamespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $.clusterName | quote }}
  namespace: {{ . | quote }}
  labels:
    {{- include "hyn-k8s.labels" $ | nindent 4 }}
rules:
{{ $.rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $.clusterName | quote }}
  namespace: {{ . | quote }}
  labels:
    {{- include "hyn-k8s.labels" $ | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $.clusterName | quote }}
subjects:
- kind: ServiceAccount
  name: {{ $.name | quote }}
  namespace: {{ $.root.Release.Namespace | quote }}
{{- else }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .clusterName | quote }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
rules:
{{ .rules }}
{{ include "hyn-k8s.clusterRules" . }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .clusterName | quote }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .clusterName | quote }}
subjects:
- kind: ServiceAccount
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
{{- end }}
{{- end }}
