{{/*
The operator's default storage: the spec.storage of a SearchJob, as JSON; empty where there is none.
*/}}
{{- define "hyn-k8s.storage" -}}
{{- $storage := .Values.storage }}
{{- with $storage.file }}
{{- $file := dict "mountPath" (.mountPath | default "/opt/share") "claimName" (.existingClaim | default (include "hyn-k8s.claim.name" $)) }}
{{- $_ := set $file "root" (hasKey . "root" | ternary .root "hypernets") }}
{{- dict "file" $file | toJson }}
{{- end }}
{{- with $storage.s3 }}
{{- $s3 := omit . "accessKey" "secretKey" }}
{{- if .accessKey }}
{{- $_ := set $s3 "secretName" (include "hyn-k8s.storageSecret.name" $) }}
{{- $_ := set $s3 "accessKeyField" "HYN_STORAGE_ACCESS_KEY" }}
{{- $_ := set $s3 "secretKeyField" "HYN_STORAGE_SECRET_KEY" }}
{{- end }}
{{- dict "s3" $s3 | toJson }}
{{- end }}
{{- end }}

{{/* The options of s3fs with the keys in them, for the Secret that the chart makes. */}}
{{- define "hyn-k8s.storageOptions" -}}
{{- $s3 := .Values.storage.s3 }}
{{- $options := deepCopy ($s3.options | default dict) }}
{{- $client := $options.client_kwargs | default dict }}
{{- with $s3.endpoint }}{{- $_ := set $client "endpoint_url" . }}{{- end }}
{{- with $s3.region }}{{- $_ := set $client "region_name" . }}{{- end }}
{{- $_ := set $client "aws_access_key_id" $s3.accessKey }}
{{- $_ := set $client "aws_secret_access_key" $s3.secretKey }}
{{- $_ := set $options "client_kwargs" $client }}
{{- toJson $options }}
{{- end }}
