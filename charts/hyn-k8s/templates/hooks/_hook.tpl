{{/*
A Job that Helm runs, with an account that is there only as long as it runs. From a dict of
    root, component, name, clusterName, events (Helm's words, with commas), args (a list),
    namespaces (where its rules hold; empty: everywhere), rules,
    ownRules (in the release's namespace), env (a list); these two may be missing
*/}}
{{- define "hyn-k8s.hook" -}}
{{- $ := . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .events "weight" "-10") | nindent 4 }}
{{- with .ownRules }}
{{- include "hyn-k8s.hook.rights" (dict "hook" $ "kind" "Role" "name" $.name "namespace" $.root.Release.Namespace "rules" .) }}
{{- end }}
{{- range .namespaces }}
{{- include "hyn-k8s.hook.rights" (dict "hook" $ "kind" "Role" "name" $.clusterName "namespace" . "rules" $.rules) }}
{{- else }}
{{- include "hyn-k8s.hook.rights" (dict "hook" . "kind" "ClusterRole" "name" .clusterName "rules" .rules) }}
{{- end }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .events }}
    helm.sh/hook-weight: "0"
    # One that has failed stays for a look at it. What it said is told by Helm at once.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 280 # a little less than Helm waits for
  template:
    metadata:
      labels:
        {{- include "hyn-k8s.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ .name | quote }}
      {{- include "hyn-k8s.podSecurity" .root | nindent 6 }}
      restartPolicy: Never
      {{- with .root.Values.operator.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.operator.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
      - name: {{ .component | quote }}
        image: {{ include "hyn-k8s.image" (dict "root" .root "image" "operator") }}
        imagePullPolicy: {{ .root.Values.images.pullPolicy }}
        args:
          {{- concat (list "python" "-m" "hyn_k8s.release") .args | toYaml | nindent 10 }}
        {{- with .env }}
        env:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        resources:
          requests: {cpu: 50m, memory: 128Mi}
          limits: {memory: 512Mi}
        {{- include "hyn-k8s.containerSecurity" . | nindent 8 }}
        volumeMounts:
        - name: tmp
          mountPath: /tmp
      volumes:
      - name: tmp
        emptyDir: {}
{{- end }}

{{/* A role and its binding, from a dict of hook (the above), kind, name, namespace, rules. */}}
{{- define "hyn-k8s.hook.rights" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name | quote }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "hyn-k8s.labels" .hook | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .hook.events "weight" "-10") | nindent 4 }}
rules:
{{ .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name | quote }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "hyn-k8s.labels" .hook | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .hook.events "weight" "-9") | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name | quote }}
subjects:
- kind: ServiceAccount
  name: {{ .hook.name | quote }}
  namespace: {{ .hook.root.Release.Namespace | quote }}
{{- end }}

{{- define "hyn-k8s.hook.annotations" -}}
helm.sh/hook: {{ .events }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end }}
