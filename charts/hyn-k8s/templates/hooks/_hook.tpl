{{/*
A Job that Helm runs, with an account that is there only as long as it runs. From a dict of
    root, component, name, clusterName, events (Helm's words, with commas), args (a list),
    namespaces (where its rules hold; empty: everywhere), rules
*/}}
{{- define "hyn-k8s.hook" -}}
{{- $ := . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .events "weight" "-10") | nindent 4 }}
{{- range .namespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $.clusterName }}
  namespace: {{ . }}
  labels:
    {{- include "hyn-k8s.labels" $ | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" $.events "weight" "-10") | nindent 4 }}
rules:
{{ $.rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $.clusterName }}
  namespace: {{ . }}
  labels:
    {{- include "hyn-k8s.labels" $ | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" $.events "weight" "-9") | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $.clusterName }}
subjects:
- kind: ServiceAccount
  name: {{ $.name }}
  namespace: {{ $.root.Release.Namespace }}
{{- else }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .clusterName }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .events "weight" "-10") | nindent 4 }}
rules:
{{ .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .clusterName }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .events "weight" "-9") | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .clusterName }}
subjects:
- kind: ServiceAccount
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    {{- include "hyn-k8s.hook.annotations" (dict "events" .events "weight" "0") | nindent 4 }}
    # On its own, a hook's failure is told without its reason.
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: 0
  template:
    metadata:
      labels:
        {{- include "hyn-k8s.labels" . | nindent 8 }}
    spec:
      serviceAccountName: {{ .name }}
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
      - name: {{ .component }}
        image: {{ include "hyn-k8s.image" (dict "root" .root "image" "operator") }}
        imagePullPolicy: {{ .root.Values.images.pullPolicy }}
        args:
          {{- concat (list "python" "-m" "hyn_k8s.release") .args | toYaml | nindent 10 }}
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

{{- define "hyn-k8s.hook.annotations" -}}
helm.sh/hook: {{ .events }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end }}
