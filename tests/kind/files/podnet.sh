#!/bin/sh
# The pod network of one node: a bridgeless veth pair for each pod, and a route to the pods of
# every other node by way of that node. Nodes come and go, so it looks again every few seconds.
set -u
while :; do
    kubectl get nodes --output jsonpath='{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}' > /tmp/nodes || { sleep 1; continue; }
    while read -r name pods address; do
        [ -n "$address" ] || continue
        if [ "$name" != "$NODE_NAME" ]; then
            ip route replace "$pods" via "$address"
            continue
        fi
        sed "s#POD_CIDR#$pods#" > /etc/cni/net.d/.podnet <<'CONFIGURATION'
{"cniVersion": "0.3.1", "name": "podnet", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {
    "type": "host-local", "dataDir": "/run/cni-ipam-state",
    "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "POD_CIDR"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CONFIGURATION
        cmp -s /etc/cni/net.d/.podnet /etc/cni/net.d/10-podnet.conflist \
            || mv /etc/cni/net.d/.podnet /etc/cni/net.d/10-podnet.conflist
    done < /tmp/nodes
    sleep 5
done
