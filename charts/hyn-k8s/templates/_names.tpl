{{/*
One template for each name. All take the root context.
*/}}

{{- define "hyn-k8s.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "hyn-k8s.operator.name" -}}
{{ include "hyn-k8s.fullname" . }}-operator
{{- end }}

{{- define "hyn-k8s.daskController.name" -}}
{{ include "hyn-k8s.fullname" . }}-dask-controller
{{- end }}

{{/* Cluster-wide objects are told apart by the release's namespace, too. */}}
{{- define "hyn-k8s.operator.clusterName" -}}
{{ .Release.Namespace }}-{{ include "hyn-k8s.operator.name" . }}
{{- end }}

{{- define "hyn-k8s.daskController.clusterName" -}}
{{ .Release.Namespace }}-{{ include "hyn-k8s.daskController.name" . }}
{{- end }}

{{- define "hyn-k8s.editors.clusterName" -}}
{{ .Release.Namespace }}-{{ include "hyn-k8s.fullname" . }}-searchjobs-edit
{{- end }}

{{- define "hyn-k8s.viewers.clusterName" -}}
{{ .Release.Namespace }}-{{ include "hyn-k8s.fullname" . }}-searchjobs-view
{{- end }}

{{- define "hyn-k8s.prepare.name" -}}
{{ include "hyn-k8s.fullname" . }}-prepare
{{- end }}

{{- define "hyn-k8s.prepare.clusterName" -}}
{{ .Release.Namespace }}-{{ include "hyn-k8s.prepare.name" . }}
{{- end }}

{{- define "hyn-k8s.suspend.name" -}}
{{ include "hyn-k8s.fullname" . }}-suspend
{{- end }}

{{- define "hyn-k8s.suspend.clusterName" -}}
{{ .Release.Namespace }}-{{ include "hyn-k8s.suspend.name" . }}
{{- end }}

{{/*
Of everything that `helm test` makes, since --logs takes each for a pod; and so the name of a
SearchJob, which begins with a letter, has no dots and at most 37 characters.
*/}}
{{- define "hyn-k8s.test.name" -}}
test-{{ include "hyn-k8s.fullname" . | replace "." "-" | trunc 32 | trimSuffix "-" }}
{{- end }}

{{/* In a search namespace: the claim, where the chart makes one. */}}
{{- define "hyn-k8s.claim.name" -}}
hyn-k8s
{{- end }}

{{/* In a search namespace: the Secret with the bucket's options, where the chart makes one. */}}
{{- define "hyn-k8s.storageSecret.name" -}}
hyn-k8s-storage
{{- end }}

{{/* The volume of an NFS export for one namespace, which is `.namespace`. */}}
{{- define "hyn-k8s.volume.name" -}}
hyn-k8s-{{ .namespace }}
{{- end }}
