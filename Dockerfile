# One image per program: --build-arg PROGRAM=generator, processor, ingest, batch,
# reporter, or parallax (all of it in one command). The image holds the program as
# /program, the questions as /data/views.yaml, and no shell. It runs as nobody in
# particular (65532) and writes below /data alone; what a program keeps lies in
# the folders ledger, lake, batch and report there.
#
# The Kafka client is a C library, so the programs need glibc; batch is static and
# needs nothing: BASE=gcr.io/distroless/static-debian12:nonroot.
ARG BASE=gcr.io/distroless/base-debian12:nonroot

FROM golang:1.26-bookworm AS build
ENV GOWORK=off
WORKDIR /src
COPY internal internal
COPY services services
COPY cmd cmd
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    set -eu; \
    build() { (cd "$1" && go build -trimpath -buildvcs=false -o /out/ \
        -ldflags "-s -w -X 'parallax.example/internal/config.stamp=$VERSION'" "$2"); }; \
    for service in generator processor reporter; do build services/$service ./cmd/$service; done; \
    build services/batch ./cmd/ingest; \
    CGO_ENABLED=0 build services/batch ./cmd/batch; \
    build cmd/parallax .; \
    mkdir -p /data/ledger /data/lake /data/batch /data/report

FROM ${BASE}
ARG PROGRAM
ARG VERSION=unknown
LABEL org.opencontainers.image.title="parallax ${PROGRAM}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/${PROGRAM} /program
COPY --from=build --chown=65532:65532 /data /data
COPY views.yaml /data/views.yaml
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/program"]
