# The images of hyn-k8s: `runtime` is what driver, scheduler and workers run in, `operator` what
# the operator and dask's controller run in. They share the layers of `base`.
#
#   docker build --target runtime  --tag hyn-k8s/runtime  .
#   docker build --target operator --tag hyn-k8s/operator .
#
# Written for Docker's classic builder as well as for BuildKit. A pod may make the root file system
# read-only: only /tmp is written to.

ARG BASE_IMAGE=python:3.13-slim

# What each image needs, in files that change only when it does: pyproject.toml has more in it, and
# whatever is copied before libraries are installed has them installed again.
FROM ${BASE_IMAGE} AS requirements
COPY pyproject.toml docker/requirements.py /build/
RUN python3 /build/requirements.py search cli > /build/runtime.txt \
    && python3 /build/requirements.py operator > /build/operator.txt

FROM ${BASE_IMAGE} AS base
LABEL org.opencontainers.image.licenses="Apache-2.0"
# LightGBM, which Hypernets imports, needs OpenMP.
RUN ldconfig -p | grep -q 'libgomp\.so\.1' \
    || (apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
        && rm -rf /var/lib/apt/lists/*)
# A user with an entry: getpass, which kopf and others ask, fails without one.
RUN useradd --uid 1000 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin hyn
ENV PATH=/opt/hyn-k8s/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOME=/tmp \
    DASK_TEMPORARY_DIRECTORY=/tmp
COPY constraints.txt docker/install.sh /build/
# What both need. Each installation leaves out the libraries' own tests.
RUN python3 -m venv /opt/hyn-k8s && sh /build/install.sh dask distributed
WORKDIR /tmp

FROM base AS runtime-libraries
COPY --from=requirements /build/runtime.txt /build/
RUN sh /build/install.sh --requirement /build/runtime.txt

FROM runtime-libraries AS runtime
COPY pyproject.toml README.md LICENSE /build/hyn-k8s/
COPY hyn_k8s /build/hyn-k8s/hyn_k8s
RUN pip install --no-deps /build/hyn-k8s
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hyn-k8s runtime" \
      org.opencontainers.image.description="Driver, Dask scheduler and workers of a Hypernets search" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 1000:1000
CMD ["hyn-k8s", "--help"]

FROM base AS operator-libraries
COPY --from=requirements /build/operator.txt /build/
RUN sh /build/install.sh --requirement /build/operator.txt

FROM operator-libraries AS operator
COPY pyproject.toml README.md LICENSE /build/hyn-k8s/
COPY hyn_k8s /build/hyn-k8s/hyn_k8s
RUN pip install --no-deps /build/hyn-k8s
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hyn-k8s operator" \
      org.opencontainers.image.description="The operator of hyn-k8s and dask's Kubernetes controller" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 1000:1000
CMD ["kopf", "run", "--all-namespaces", "--standalone", "--module", "dask_kubernetes.operator.controller"]
