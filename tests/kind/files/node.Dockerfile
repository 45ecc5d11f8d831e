# A kind node: Debian, kind's own files as they are, and one program that is all of Kubernetes.
# What is removed, masked and enabled follows the Dockerfile beside kind's files.
ARG ROOT
FROM ${ROOT}
ARG KUBERNETES_VERSION
COPY kind/usr/local/bin/ /usr/local/bin/
COPY kind/kind/ /kind/
COPY kind/etc/ /etc/
COPY kubernetes /usr/bin/kubernetes
COPY crictl /usr/local/bin/
COPY runc-lean /usr/local/sbin/runc
COPY podnet.yaml /kind/manifests/default-cni.yaml
COPY storage.yaml /kind/manifests/default-storage.yaml
RUN set -eu; \
    for name in kubeadm kubelet kubectl; do ln -s kubernetes /usr/bin/$name; done; \
    for name in containerd ctr; do ln -s /usr/bin/$name /usr/local/bin/$name; done; \
    chmod 755 /kind /kind/bin /kind/bin/* /usr/local/bin/* /usr/local/sbin/*; \
    mkdir -p /opt/cni /etc/kubernetes/manifests /etc/cni/net.d; \
    ln -s /usr/lib/cni /opt/cni/bin; \
    cd /lib/systemd/system; \
    rm -f sysinit.target.wants/systemd-tmpfiles-setup.service multi-user.target.wants/* \
        local-fs.target.wants/* sockets.target.wants/*udev* sockets.target.wants/*initctl* \
        basic.target.wants/* /etc/systemd/system/*.wants/* containerd.service; \
    systemctl enable kubelet.service containerd.service undo-mount-hacks.service; \
    systemctl mask systemd-binfmt.service; \
    echo ReadKMsg=no >> /etc/systemd/journald.conf; \
    sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' \
        /etc/containerd/config.toml; \
    printf %s "$KUBERNETES_VERSION" > /kind/version; \
    ctr oci spec | jq 'del(.process.rlimits) \
        | .hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}]' \
        > /etc/containerd/cri-base.json
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
