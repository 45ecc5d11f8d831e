{{/*
Labels and selectors. They take a dict of `root`, the root context, and `component`, a word:

    {{ include "hyn-k8s.labels" (dict "root" . "component" "operator") }}
*/}}

{{- define "hyn-k8s.selector" -}}
app.kubernetes.io/name: hyn-k8s
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "hyn-k8s.labels" -}}
{{ include "hyn-k8s.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}
