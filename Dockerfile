# syntax=docker/dockerfile:1
# check=error=true
# `docker build .` makes the production image: what is locked, bff without bff/dev, the configuration.
# `--target stand-ins` makes what compose.yaml lets stand in for the rest: stubs and a provider.

# The digest is the one of the index for all architectures; the tag beside it is for people.
ARG PYTHON_IMAGE=python:3.13.15-slim-bookworm@sha256:ed86c82274b3c69b52fb5820f358f0bd7df0b603332063cb5c6e32bd220c3e6e

FROM ${PYTHON_IMAGE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY lock/build.txt lock/
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --only-binary :all: -r lock/build.txt \
 && python -m venv --without-pip /opt/bff

# First what changes seldom: what bff stands on.
FROM tools AS build
COPY lock/run.txt lock/
RUN /build/bin/pip --python /opt/bff/bin/python install \
      --require-hashes --only-binary :all: -r lock/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY bff/ bff/
RUN rm -r bff/dev \
 && /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/bff/bin/python install --no-deps --no-index /wheels/*.whl

FROM tools AS build-stand-ins
COPY lock/dev.txt lock/
RUN /build/bin/pip --python /opt/bff/bin/python install \
      --require-hashes --only-binary :all: -r lock/dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY config/ config/
COPY bff/ bff/
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/bff/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE} AS stand-ins
ENV PATH=/opt/bff/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=build-stand-ins /opt/bff /opt/bff
# Volumes that are mounted there belong to whom the folder belongs to.
RUN install -d -m 750 -o 10001 -g 10001 /certificates /secrets
USER 10001:10001
CMD ["bff", "stub", "--help"]

FROM ${PYTHON_IMAGE} AS bff
# Fit for --read-only with a tmpfs at /tmp: gunicorn's heartbeat is in /dev/shm; sessions and what is
# kept are in Redis, or where there is none in /var/lib/bff, which is a volume then.
ENV PATH=/opt/bff/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BFF_CONFIG=/app/config \
    BFF_STATE=/var/lib/bff \
    BFF_BIND=0.0.0.0:8000
WORKDIR /app
COPY --from=build /opt/bff /opt/bff
COPY config/ config/
RUN install -d -m 700 -o 10001 -g 10001 /var/lib/bff
VOLUME /var/lib/bff
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=2); c.request('GET', '/livez'); exit(c.getresponse().status != 200)"]
CMD ["bff", "serve"]
