# syntax=docker/dockerfile:1
# The production image: what is locked, bff without bff/dev, and the configuration.

ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src

# First what changes seldom: the tools that build, and what bff stands on.
COPY lock/build.txt lock/run.txt lock/
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --only-binary :all: -r lock/build.txt \
 && python -m venv --without-pip /opt/bff \
 && /build/bin/pip --python /opt/bff/bin/python install \
      --require-hashes --only-binary :all: -r lock/run.txt

COPY pyproject.toml README.md LICENSE ./
COPY bff/ bff/
RUN rm -r bff/dev \
 && /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/bff/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
# Written at run time: gunicorn's heartbeat in /dev/shm, and where there is no Redis, sessions and
# what is kept in /var/lib/bff, which is a volume then. Besides that --read-only is fine.
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
