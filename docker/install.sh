#!/bin/sh
# Installs libraries at the versions of constraints.txt, without their own tests: a third of their
# size, and of what every node of a cluster has to pull.
set -eu
pip install --constraint /build/constraints.txt "$@"
cd /opt/hyn-k8s/lib/python3*/site-packages
for library in dask distributed numpy pandas scipy sklearn statsmodels pyarrow matplotlib; do
    [ ! -d "$library" ] || find "$library" -type d -name tests -prune -exec rm -rf {} +
done
