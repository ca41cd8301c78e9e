# The front door. `make run` shows the whole path on this machine; `make test` shows that it holds.
# `make setup` installs what a machine lacks; a target sets up what it needs itself, but for `check`, which installs nothing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help setup run test check fmt generate e2e crash simulate fuzz bench-delivery bench-gateway cluster-up cluster-down images release clean

help: ## Shows this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: ## Installs what `make check` and the tests need (ONLY=name: one part's); names what it cannot install
	@tests/setup/all $(ONLY)

run: ## Starts a server, the data plane and a receiver here, and calls both tools (ONCE=1: ends by itself)
	@tests/setup/all quickstart
	@ONCE='$(ONCE)' examples/quickstart/run

test: ## Runs every test, quick parts first (ONLY=name runs one part)
	@tests/run $(ONLY)

check: ## Format, lints, docs, dependencies and generated files; installs nothing
	@tests/check

fmt: ## Formats the code
	cargo fmt --all

generate: ## Writes every generated file anew
	@tests/setup/build
	cargo run -q -p asyncmcp-crds --bin crdgen
	rbac=$$(cargo run -q -p asyncmcp-operator -- rbac) && printf '%s\n' "$$rbac" >charts/asyncmcp/files/rbac.yaml
	document=$$(cargo run -q -p asyncmcp-dataplane -- --openapi) && printf '%s\n' "$$document" >dataplane/openapi.json
	page=$$(cargo run -q -p asyncmcp-cli -- reference) && printf '%s\n' "$$page" >docs/reference/cli.md
	charts/asyncmcp/values-table

e2e: ## Runs the end-to-end suite on the cluster that KUBECONFIG names (none: the local cluster)
	@tests/run e2e

crash: ## Kills the data plane 1,000 times under 50,000 calls and at every commit; 300 other faults (KILLS=n, FAULTS=n, SEED=n)
	@CRASH_KILLS='$(or $(KILLS),1000)' CRASH_FAULTS='$(or $(FAULTS),300)' CRASH_SEED='$(SEED)' tests/run crash

simulate: ## Runs the engine in 1,000,000 simulated worlds of faults (SEEDS=n, SEED=n runs one and prints its story)
	@SIMULATE_SEEDS='$(or $(SEEDS),1000000)' SIMULATE_SEED='$(SEED)' cargo test -q --profile simulate \
		-p asyncmcp-delivery --lib simulation::every_world -- --nocapture

fuzz: ## Feeds random input to what reads messages, streams and session ids, 60 s each (SECONDS_EACH=n; needs a nightly compiler)
	@SECONDS_EACH='$(or $(SECONDS_EACH),60)' tests/fuzz/run

bench-delivery: ## Measures deliveries side by side with asyncmcp, or with another commit (BASE=commit), or beside a hostile client (HOSTILE=1; not a test; 10 minutes)
	@$(if $(BASE),tests/bench/compare '$(BASE)',tests/bench/run $(if $(HOSTILE),--hostile))

bench-gateway: ## Measures ordinary calls through the gateway beside nginx, asyncmcp and the server itself (not a test; 10 minutes)
	@tests/bench/run --gateway --seconds '$(or $(SECONDS_EACH),5)'

cluster-up: ## Starts a local Kubernetes 1.35 in a network namespace of its own
	@tests/cluster/up

cluster-down: ## Stops it and removes what it left
	@tests/cluster/down

images: ## Builds the images as OCI archives, without Docker
	@tests/setup/images

release: ## Makes all files of a release, unsigned, for both architectures (ARCH=amd64: one)
	@PATH="$$(source tests/setup/parts && cluster_programs):$$PATH" release/build $(ARCH)

clean: ## Removes what the build made in this checkout
	@tests/cluster/down
	cargo clean
