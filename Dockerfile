# The program and nothing else, run by an unprivileged user; its data is in the volume /data. Docker's build:
#   docker build -t healthcare .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/healthcare .
RUN mkdir /out/data && chmod 700 /out/data && mkdir /out/tmp

FROM scratch
# The authorities that vouch for a mail server, a database on another machine, and an ACME server.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/healthcare /healthcare
COPY --from=build --chown=65532:65532 /out/data /data
# Uploads and Excel files, while they are read and made.
COPY --from=build --chown=65532:65532 /out/tmp /tmp
USER 65532:65532
WORKDIR /data
VOLUME /data
# Within a container, "everywhere" is its own network; what of it can be reached is said when it is started.
ENV HOST=0.0.0.0 PORT=8000 DATABASE_URL=sqlite:///data/healthcare.db
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/healthcare", "healthcheck"]
ENTRYPOINT ["/healthcare"]
