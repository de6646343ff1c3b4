# The toolchain of the machine that makes it, for machines that reach no image registry. It trusts whom that machine trusts.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY bin /usr/local/cargo/bin
COPY lib /usr/local/cargo/lib
COPY ca-certificates.crt /etc/ssl/certs/
ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
