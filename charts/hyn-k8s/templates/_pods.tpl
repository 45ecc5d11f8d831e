{{/*
Images, and what the pods of this chart have in common: they pass Pod Security `restricted`.
*/}}

{{/* An image by its key in .Values.images: (dict "root" . "image" "operator") */}}
{{- define "hyn-k8s.image" -}}
{{- $images := .root.Values.images }}
{{- $image := index $images .image }}
{{- with $images.registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The security of a pod, and the Secrets that its image is pulled with; the root context. */}}
{{- define "hyn-k8s.podSecurity" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "hyn-k8s.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/*
The Deployment of a controller, from a dict of
    root, component, name, account, settings (its section of the values),
    args (a list), env (a list of variables)
*/}}
{{- define "hyn-k8s.controller" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "hyn-k8s.labels" . | nindent 4 }}
  annotations:
    hyn-k8s.dev/release: {{ .root.Release.Name | quote }}
    hyn-k8s.dev/namespaces: {{ join "," (uniq .root.Values.watchNamespaces) | quote }}
spec:
  replicas: 1
  # Two at a time would undo each other's work.
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "hyn-k8s.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- mergeOverwrite (deepCopy .settings.labels) (include "hyn-k8s.labels" . | fromYaml) | toYaml | nindent 8 }}
      {{- with .settings.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .name | quote }}
      {{- include "hyn-k8s.podSecurity" .root | nindent 6 }}
      {{- with .settings.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- with .settings.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .settings.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .settings.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
      - name: {{ .component | quote }}
        image: {{ include "hyn-k8s.image" (dict "root" .root "image" "operator") }}
        imagePullPolicy: {{ .root.Values.images.pullPolicy }}
        args:
          {{- toYaml .args | nindent 10 }}
        {{- with .env }}
        env:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        ports:
        - name: health
          containerPort: 8080
          protocol: TCP
        readinessProbe:
          httpGet:
            path: /healthz
            port: health
          periodSeconds: 5
          timeoutSeconds: 5
        livenessProbe:
          httpGet:
            path: /healthz
            port: health
          initialDelaySeconds: 30
          periodSeconds: 20
          timeoutSeconds: 10
          failureThreshold: 6
        {{- with .settings.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- include "hyn-k8s.containerSecurity" . | nindent 8 }}
        volumeMounts:
        - name: tmp
          mountPath: /tmp
      volumes:
      - name: tmp
        emptyDir: {}
{{- end }}
