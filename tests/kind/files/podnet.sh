#!/bin/sh
# The pod network of one node: a bridgeless veth pair for each pod, and a route to the pods of
# every other node by way of that node. It hears of nodes as they come and change; a watch ends now
# and then, and begins again with every node.
set -u

configure() {
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
    done
}

while :; do
    kubectl get nodes --watch --output jsonpath='{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}' | configure
    sleep 1
done
