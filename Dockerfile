# mini-share-point: a server and its administration on Debian slim with Python.
#
#   docker build -t mini-share-point .                       compiles in the image
#   docker build --build-arg BINARIES=host …                 takes the binaries that lie in docker/binaries/
#
# BASE is a Debian bookworm. BUILD_BASE may be one that has the Rust toolchain already.
ARG BASE=debian:bookworm-slim
ARG BUILD_BASE=${BASE}
ARG BINARIES=build

FROM ${BUILD_BASE} AS build
ENV PATH=/root/.cargo/bin:$PATH
WORKDIR /src
COPY rust-toolchain.toml .
# The toolchain is the one that rust-toolchain.toml names.
RUN command -v cc >/dev/null && command -v cargo >/dev/null && exit 0; \
    apt-get update && apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev && \
    curl -sSf https://sh.rustup.rs -o /tmp/rustup.sh && \
    sh /tmp/rustup.sh -y --profile minimal --default-toolchain none && rustup toolchain install
COPY . .
# An environment RUSTFLAGS overrides .cargo/config.toml, so the flag stands here too.
ENV RUSTFLAGS="--cfg poly1305_force_soft"
RUN --mount=type=cache,target=/root/.cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bins && mkdir /out && \
    cp target/release/msp-server target/release/msp-admin target/release/gen_key target/release/appendclient \
       target/release/purgeclients target/release/msp-client /out/

FROM scratch AS host
COPY docker/binaries/ /out/

FROM ${BINARIES} AS binaries

FROM ${BASE}
RUN command -v setpriv >/dev/null && python3 -c 'import ensurepip, venv' && [ -d /usr/share/zoneinfo ] && \
        [ -s /etc/ssl/certs/ca-certificates.crt ] && exit 0; \
    apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates python3 python3-venv tzdata util-linux && \
    rm -rf /var/lib/apt/lists/*
COPY --from=binaries /out/ /usr/local/lib/msp/
COPY docker/entrypoint docker/as-server-user /usr/local/lib/msp/
COPY config-docker/ /defaults/config/
COPY modules/ /defaults/modules/
# The server by its own name; the tools of the operator as the server's user, so that their files are the server's.
RUN ln -s ../lib/msp/msp-server /usr/local/bin/msp-server && \
    for tool in msp-admin gen_key appendclient purgeclients; do \
        ln -s ../lib/msp/as-server-user /usr/local/bin/$tool; \
    done && \
    touch /defaults/modules/__init__.py /defaults/modules/module-requirements.txt && \
    mkdir -p /config /app/modules /log /sec
ENV MSP_CONFIG_PATH=/config/config.ini MSP_MODCONF_PATH=/config/modules.ini MSP_LOGFILE_PATH=/log
WORKDIR /app
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["msp-server", "--healthcheck"]
ENTRYPOINT ["/usr/local/lib/msp/entrypoint"]
CMD ["msp-server"]
