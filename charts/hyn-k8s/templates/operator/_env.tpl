{{/*
The operator's environment, as a list of variables. The hook `prepare` has it, too: what the
operator would end with at its start ends the installation there, with its sentence.
*/}}
{{- define "hyn-k8s.operator.env" -}}
{{- $env := list (dict "name" "HYN_OPERATOR_IMAGE" "value" (include "hyn-k8s.image" (dict "root" . "image" "runtime"))) }}
{{- $env = append $env (dict "name" "HYN_OPERATOR_IMAGE_PULL_POLICY" "value" .Values.images.pullPolicy) }}
{{- with .Values.images.pullSecrets }}
{{- $env = append $env (dict "name" "HYN_OPERATOR_IMAGE_PULL_SECRETS" "value" (join "," .)) }}
{{- end }}
{{- with include "hyn-k8s.storage" . }}
{{- $env = append $env (dict "name" "HYN_OPERATOR_STORAGE" "value" .) }}
{{- end }}
{{- with uniq .Values.watchNamespaces }}
{{- $env = append $env (dict "name" "HYN_OPERATOR_NAMESPACES" "value" (join "," .)) }}
{{- end }}
{{- if .Values.networkPolicies.enabled }}
{{- $env = append $env (dict "name" "HYN_OPERATOR_NETWORK_POLICY" "value" (include "hyn-k8s.controllers" . | fromYamlArray | toJson)) }}
{{- end }}
{{- toYaml $env }}
{{- end }}
