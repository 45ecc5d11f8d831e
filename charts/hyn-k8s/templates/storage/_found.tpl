{{/*
What may be there of an earlier release: claims and volumes stay when it goes. They are used as they
are, if they are what the values say; what a claim is of cannot be changed.
*/}}

{{/* Not empty if an object is this release's to apply: (dict "root" . "found" object-or-empty) */}}
{{- define "hyn-k8s.isOurs" -}}
{{- $name := dig "metadata" "annotations" "meta.helm.sh/release-name" "" .found }}
{{- $namespace := dig "metadata" "annotations" "meta.helm.sh/release-namespace" "" .found }}
{{- if or (not .found) (and (eq $name .root.Release.Name) (eq $namespace .root.Release.Namespace)) }}yes{{ end }}
{{- end }}

{{/* (dict "file" storage.file "namespace" name "found" claim-or-empty "volume" name) */}}
{{- define "hyn-k8s.claim.check" -}}
{{- if .found }}
{{- $class := .found.spec.storageClassName | default "" }}
{{- $wanted := "" }}
{{- with .file.claim }}{{ $wanted = .storageClassName }}{{ end }}
{{- if ne $class $wanted }}
{{- fail (printf "storage.file: claim %s/hyn-k8s is there, of class %q, and the values say %q; set storage.file.existingClaim=hyn-k8s to use it as it is, or delete it first" .namespace $class $wanted) }}
{{- end }}
{{- if and .file.nfs (ne .found.spec.volumeName .volume) }}
{{- fail (printf "storage.file.nfs: claim %s/hyn-k8s is there, on volume %s and not on one of this export; set storage.file.existingClaim=hyn-k8s to use it as it is, or delete it first" .namespace .found.spec.volumeName) }}
{{- end }}
{{- end }}
{{- end }}

{{/* (dict "nfs" storage.file.nfs "found" volume-or-empty) */}}
{{- define "hyn-k8s.volume.check" -}}
{{- if .found }}
{{- $there := .found.spec.nfs | default dict }}
{{- if or (ne ($there.server | default "") .nfs.server) (ne ($there.path | default "") .nfs.path) }}
{{- fail (printf "storage.file.nfs: volume %s is there, of %s:%s, and the values say %s:%s; delete the volume first, its data stay" .found.metadata.name ($there.server | default "no NFS server") ($there.path | default "") .nfs.server .nfs.path) }}
{{- end }}
{{- if eq (dig "status" "phase" "" .found) "Released" }}
{{- fail (printf "storage.file.nfs: volume %s is Released, its claim was deleted, and no other gets it; delete the volume first, its data stay" .found.metadata.name) }}
{{- end }}
{{- end }}
{{- end }}
