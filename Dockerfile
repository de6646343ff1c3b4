# One image with the three programs: stepwell, coordinator, worker. Python is there for handlers; a fleet whose handlers need more
# builds its own image FROM this one.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin stepwell --bin coordinator --bin worker \
    && mkdir /out && cp target/release/stepwell target/release/coordinator target/release/worker /out/

FROM ${BASE_IMAGE}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/stepwell stepwell
COPY --from=build /out/ /usr/local/bin/
USER stepwell
WORKDIR /var/lib/stepwell
ENV STEPWELL_API__LISTEN=0.0.0.0:8083 STEPWELL_OPS__LISTEN=0.0.0.0:9090
EXPOSE 8083 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["stepwell", "health"]
CMD ["coordinator"]
