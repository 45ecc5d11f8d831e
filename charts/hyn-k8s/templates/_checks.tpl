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
{{- with .mountPath }}
{{- if or (has . (list "/bin" "/dev" "/etc" "/lib" "/lib64" "/opt" "/run" "/sbin" "/tmp" "/usr" "/var")) (regexMatch "^/(bin|dev|etc|lib|lib64|proc|sbin|sys|tmp|usr|opt/hyn-k8s|opt/script)(/|$)" .) }}
{{- fail (printf "storage.file.mountPath: found %s, where the pods have what they need; name a directory of its own, such as /opt/share" .) }}
{{- end }}
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
{{- $client := dig "client_kwargs" dict (.options | default dict) }}
{{- range $key := list "key" "secret" "token" "username" "password" "aws_access_key_id" "aws_secret_access_key" "aws_session_token" }}
{{- if or (hasKey ($storage.s3.options | default dict) $key) (hasKey $client $key) }}
{{- fail (printf "storage.s3.options: %s does not belong there; name a Secret by secretName, or set accessKey and secretKey" $key) }}
{{- end }}
{{- end }}
{{- if or (and .endpoint (or (hasKey (.options | default dict) "endpoint_url") (hasKey $client "endpoint_url"))) (and .region (hasKey $client "region_name")) }}
{{- fail "storage.s3: say endpoint and region once, in these fields or in options" }}
{{- end }}
{{- if and .optionsField (or .endpoint .region .options) }}
{{- fail "storage.s3: with optionsField the Secret has all options; endpoint, region and options go there" }}
{{- end }}
{{- end }}
{{- range $peer := .Values.networkPolicies.from }}
{{- if eq (hasKey $peer "ipBlock") (or (hasKey $peer "podSelector") (hasKey $peer "namespaceSelector")) }}
{{- fail "networkPolicies.from: a peer has podSelector, namespaceSelector or both, or else ipBlock" }}
{{- end }}
{{- range $cidr := concat (list (dig "ipBlock" "cidr" "::/0" $peer)) (dig "ipBlock" "except" list $peer) }}
{{- if not (regexMatch "^[0-9a-fA-F.:]+/[0-9]+$" $cidr) }}
{{- fail (printf "networkPolicies.from: found %s; a block of addresses is written as 10.0.0.0/8" $cidr) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (or $storage.file $storage.s3) (not .Values.searchNamespaces) }}
{{- $file := $storage.file | default dict }}
{{- $s3 := $storage.s3 | default dict }}
{{- if or $file.nfs $file.claim $s3.accessKey }}
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
