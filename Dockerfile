# The images, from static binaries that `make images` (or a release workflow) put into the context:
#   docker build --target dataplane -t asyncmcp-dataplane:dev target/images
# The context holds ca-certificates.crt, asyncmcp-dataplane, asyncmcp-operator, and for the test image
# asyncmcp and asyncmcp-example-server.
ARG BASE=scratch

FROM ${BASE} AS dataplane
# Webhook receivers and servers are reached over TLS: without these roots no chain would verify.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY asyncmcp-dataplane /asyncmcp-dataplane
USER 65532:65532
EXPOSE 8080 9464
ENTRYPOINT ["/asyncmcp-dataplane"]

FROM ${BASE} AS operator
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY asyncmcp-operator /asyncmcp-operator
USER 65532:65532
EXPOSE 9464
ENTRYPOINT ["/asyncmcp-operator"]

# For the end-to-end tests only: a client, a receiver and an MCP server.
FROM ${BASE} AS test
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY asyncmcp /asyncmcp
COPY asyncmcp-example-server /asyncmcp-example-server
USER 65532:65532
ENTRYPOINT ["/asyncmcp"]
