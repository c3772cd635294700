# What a build of overflow needs, and nothing of overflow: the action mounts its own code, read-only,
# at the path where the runner put it. So this image changes only when its tools do.
#
# It builds with BuildKit and with Docker's classic builder. Behind a proxy, hand in HTTP_PROXY,
# HTTPS_PROXY and NO_PROXY as build arguments (Docker keeps those out of the history); where the proxy
# has a certificate authority of its own, give a BASE with it in /usr/local/share/ca-certificates.

# debian:bookworm-20260918-slim: the index of all its platforms, not the image of one.
ARG BASE=debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
FROM ${BASE}

# build-essential, pkg-config and libpython3-dev compile source distributions (the last one is the
# headers of Debian's own Python, which is one of the targets); git fetches dependencies; python3-venv
# is for overflow itself. Not here: cmake (84 MB) and ninja, which build back ends take from PyPI; Rust
# (423 MB); an SSH client, which refuses to run for a user that /etc/passwd lacks.
#
# DL3008 wants versions: Debian's mirrors drop each one when the next is out, so a pinned build would
# break with every security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        build-essential \
        ca-certificates \
        git \
        libpython3-dev \
        pkg-config \
        python3 \
        python3-venv \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# Another index than PyPI. An address only: build arguments stay in the image's history.
ARG PIP_INDEX_URL
COPY requirements.txt /opt/overflow/requirements.txt
# The venv gets no pip: nothing is installed into it later. Wheels only, since what a source
# distribution is built with has no hash.
RUN python3 -m venv /tmp/pip \
    && python3 -m venv --without-pip /opt/overflow/venv \
    && PIP_CERT=/etc/ssl/certs/ca-certificates.crt /tmp/pip/bin/pip \
        --python /opt/overflow/venv/bin/python --disable-pip-version-check --no-cache-dir \
        install --only-binary=:all: --require-hashes --requirement /opt/overflow/requirements.txt \
    && rm -rf /tmp/pip

# Here uv looks for Pythons, in this build and in every container.
ENV UV_PYTHON_INSTALL_DIR=/opt/python
# Another place than GitHub for uv's Pythons: as with PIP_INDEX_URL, an address only.
ARG UV_PYTHON_INSTALL_MIRROR
# The Pythons of AWS Lambda. One that is here already (Debian's) is not installed again.
ARG PYTHONS="3.10 3.11 3.12 3.13 3.14"
RUN export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt UV_NO_CACHE=1 \
    && set -- /opt/overflow/venv/bin/uv python \
    && for version in ${PYTHONS}; do \
        "$@" find --system --no-project "cpython@${version}" \
        || "$@" install --no-bin "cpython@${version}" \
        || exit 1; \
    done

LABEL org.opencontainers.image.title="overflow" \
      org.opencontainers.image.description="Build tools, uv and Lambda's Pythons, for the action that bundles Python projects" \
      org.opencontainers.image.licenses="MIT"

# Any user will do: the action runs it as the runner's own. This one is Debian's nobody.
USER 65534:65534
ENTRYPOINT ["/opt/overflow/venv/bin/python", "-I"]
