{{/*
What values.schema.json cannot say: how values go together. Each is one sentence.
*/}}
{{- define "hyn-k8s.checks" -}}
{{- $storage := .Values.storage }}
{{- if and $storage.file $storage.s3 }}
{{- fail "storage: set file or s3, not both" }}
{{- end }}
{{- with $storage.file }}
{{- $ways := list }}
{{- range $way := list "existingClaim" "nfs" "claim" }}
{{- if hasKey $storage.file $way }}{{- $ways = append $ways $way }}{{- end }}
{{- end }}
{{- if ne (len $ways) 1 }}
{{- fail (printf "storage.file: set exactly one of existingClaim, nfs and claim; found %s" (join ", " $ways | default "none")) }}
{{- end }}
{{- end }}
{{- with $storage.s3 }}
{{- if ne (empty .accessKey) (empty .secretKey) }}
{{- fail "storage.s3: set accessKey and secretKey together" }}
{{- end }}
{{- if and .accessKey .secretName }}
{{- fail "storage.s3: set secretName for keys that are in the cluster, or accessKey and secretKey, not both" }}
{{- end }}
{{- if ne (empty .accessKeyField) (empty .secretKeyField) }}
{{- fail "storage.s3: set accessKeyField and secretKeyField together" }}
{{- end }}
{{- if and .accessKeyField .optionsField }}
{{- fail "storage.s3: set accessKeyField and secretKeyField, or optionsField, not both" }}
{{- end }}
{{- if ne (empty .secretName) (and (empty .accessKeyField) (empty .optionsField)) }}
{{- fail "storage.s3: with secretName say what is in it, by accessKeyField and secretKeyField or by optionsField; without it, by neither" }}
{{- end }}
{{- if and .optionsField (or .endpoint .region .options) }}
{{- fail "storage.s3: with optionsField the Secret has all options; endpoint, region and options go there" }}
{{- end }}
{{- end }}
{{- if and (or $storage.file $storage.s3) (not .Values.searchNamespaces) }}
{{- if or (dig "nfs" "" ($storage.file | default dict)) (dig "claim" "" ($storage.file | default dict)) (dig "accessKey" "" ($storage.s3 | default dict)) }}
{{- fail "searchNamespaces: name the namespaces in which the storage's claims or Secret are made" }}
{{- end }}
{{- end }}
{{- if .Values.watchNamespaces }}
{{- range .Values.searchNamespaces }}
{{- if not (has . $.Values.watchNamespaces) }}
{{- fail (printf "searchNamespaces: %s is none of watchNamespaces (%s), so no search would run there" . (join ", " $.Values.watchNamespaces)) }}
{{- end }}
{{- end }}
{{- else if lookup "v1" "Namespace" "" "kube-system" }}
{{- range .Values.searchNamespaces }}
{{- if not (lookup "v1" "Namespace" "" .) }}
{{- fail (printf "searchNamespaces: there is no namespace %s; make it first: kubectl create namespace %s" . .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
