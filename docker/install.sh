#!/bin/sh
# Installs libraries at the versions of constraints.txt, without their own tests: a third of their
# size, and of what every node of a cluster has to pull.
set -eu
# uv takes a tenth of pip's time; it is gone again when the layer is made.
uv=$(mktemp -d)
pip install --quiet --target "$uv" uv
[ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="$PIP_CERT"
"$uv/bin/uv" pip install --python /opt/hyn-k8s --no-cache --compile-bytecode \
    --constraint /build/constraints.txt "$@"
rm -rf "$uv"
cd /opt/hyn-k8s/lib/python3*/site-packages
for library in dask distributed numpy pandas scipy sklearn statsmodels pyarrow matplotlib; do
    [ ! -d "$library" ] || find "$library" -type d -name tests -prune -exec rm -rf {} +
done
