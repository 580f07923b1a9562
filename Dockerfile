# The bridge in a container. python-qpid-proton (AMQP 1.0) is compiled in the first stage; the second has no compiler.
#   docker build -t pywats-bridge .
#   docker run -v ./bridge.toml:/etc/pywats-bridge/bridge.toml:ro -v journal:/var/lib/pywats-bridge \
#       -e PYWATS_BRIDGE_WATS__TOKEN pywats-bridge
FROM python:3.12-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/pywats-bridge
ENV PATH=/opt/pywats-bridge/bin:$PATH
WORKDIR /source
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && pip install --no-cache-dir --require-hashes --no-build-isolation -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
COPY --from=build /opt/pywats-bridge /opt/pywats-bridge
ENV PATH=/opt/pywats-bridge/bin:$PATH \
    PYTHONUNBUFFERED=1
RUN useradd --system --create-home --home-dir /var/lib/pywats-bridge bridge
USER bridge
WORKDIR /var/lib/pywats-bridge
VOLUME /var/lib/pywats-bridge
# An orderly end gives deliveries in flight their time; 10 s is docker's own patience.
STOPSIGNAL SIGTERM
ENTRYPOINT ["pywats-bridge"]
CMD ["run", "--config", "/etc/pywats-bridge/bridge.toml"]
