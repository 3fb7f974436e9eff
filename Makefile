# Saves typing, nothing more: cargo build, cargo test and cargo run mean what they mean everywhere.

.PHONY: demo test bench lint fuzz miri setup

# Of each fuzz target.
SECONDS ?= 60

# Retransmits on a lossy link between two private network namespaces, live.
demo:
	scripts/demo.sh

# Every test; those on the live probe run where this user is root or sudo asks for no password.
test:
	scripts/test.sh

bench: setup
	cargo bench

lint: setup
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings

# Plugins, their answers, records and captures that are made up, looking for one that does harm.
fuzz:
	scripts/fuzz.sh $(SECONDS)

# Undefined behaviour in the crate that casts references.
miri:
	scripts/miri.sh

# Installs what the build needs and this machine lacks: Debian packages, Rust with wasm32-wasip2.
setup:
	scripts/setup.sh
