# mini-share-point: a server and its administration on Debian slim with Python.
#
#   docker build -t mini-share-point .                       compiles in the image
#   docker build --build-arg BINARIES=host …                 takes the binaries that lie in docker/binaries/
#
# BASE is a Debian bookworm. BUILD_BASE may be one that has the Rust toolchain already. Nothing here needs BuildKit.
ARG BASE=debian:bookworm-slim
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
ARG BINARIES=build
ENV PATH=/root/.cargo/bin:$PATH
WORKDIR /src
COPY rust-toolchain.toml .
# The toolchain is the one that rust-toolchain.toml names.
RUN [ "$BINARIES" = build ] || exit 0; \
    command -v cc >/dev/null && command -v cargo >/dev/null && exit 0; \
    apt-get update && apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev && \
    curl -sSf https://sh.rustup.rs -o /tmp/rustup.sh && \
    sh /tmp/rustup.sh -y --profile minimal --default-toolchain none && rustup toolchain install
COPY . .
# An environment RUSTFLAGS overrides .cargo/config.toml, so the flag stands here too.
ENV RUSTFLAGS="--cfg poly1305_force_soft"
RUN if [ "$BINARIES" = build ]; then \
        cargo build --release --locked -p msp-server -p msp-admin -p msp-client && \
        rm -rf docker/binaries && mv target/release docker/binaries; \
    fi && \
    mkdir /out && cd docker/binaries && \
    cp msp-server msp-admin gen_key appendclient purgeclients msp-client /out/ && \
    rm -rf /src/target /src/docker/binaries

FROM ${BASE}
RUN command -v setpriv >/dev/null && python3 -c 'import ensurepip, venv' && [ -d /usr/share/zoneinfo ] && \
        [ -s /etc/ssl/certs/ca-certificates.crt ] && exit 0; \
    apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates python3 python3-venv tzdata util-linux && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /usr/local/lib/msp/
COPY docker/entrypoint docker/as-server-user docker/server-user util/install /usr/local/lib/msp/
COPY config-docker/ /defaults/config/
COPY modules/ /defaults/modules/
# A configuration that names no Keypath means the volume. Server and client by their own names; the tools of the operator as the server's user, so that their files are the
# server's.
RUN ln -s ../lib/msp/msp-server ../lib/msp/msp-client /usr/local/bin/ && \
    for tool in msp-admin gen_key appendclient purgeclients; do \
        ln -s ../lib/msp/as-server-user /usr/local/bin/$tool; \
    done && \
    /usr/local/lib/msp/install --from /usr/local/lib/msp --texts && rm /usr/local/lib/msp/install && \
    touch /defaults/modules/__init__.py /defaults/modules/module-requirements.txt && \
    mkdir -p /config /app/modules /app/venv /log /sec && ln -s /sec /app/sec
ENV MSP_CONFIG_PATH=/config/config.ini MSP_MODCONF_PATH=/config/modules.ini MSP_LOGFILE_PATH=/log
WORKDIR /app
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["msp-server", "--healthcheck"]
ENTRYPOINT ["/usr/local/lib/msp/entrypoint"]
CMD ["msp-server"]
