# Saves typing, nothing more: cargo build, cargo test and cargo run mean what they mean everywhere.

.PHONY: demo demo-fleet test test-languages kernels bench bench-languages bench-probe bench-fleet lint deny soak fuzz miri deb test-deb dist package setup

# Retransmits on a lossy link between two private network namespaces, live.
demo:
	scripts/demo.sh

# Three hosts, a broker, two consumers: one alert that no host could have raised, though a consumer is killed. Root.
demo-fleet:
	scripts/demo-fleet.sh

# Every test; those on the live probe run where this user is root or sudo asks for no password.
test:
	scripts/test.sh

# Plugins in C, Go, Python and JavaScript: builds the samples of each SDK, and compares them with those in Rust. It
# installs their toolchains where they are missing. LANGUAGES="c go" builds and tests fewer, without the comparison.
test-languages:
	scripts/test-languages.sh

# The live tests on other kernels, in virtual machines: all, or KERNELS="5.10 7.3" PARTS=main.
kernels:
	scripts/kernels.sh run $(if $(KERNELS),--kernels "$(KERNELS)") $(if $(PARTS),--parts "$(PARTS)")

bench: setup
	cargo bench

# What the samples cost in each language, beside Rust.
bench-languages:
	scripts/bench-languages.sh

# What a run of the probe costs, by the kernel's statistics: needs root.
bench-probe: setup
	cargo bench --bench probe

# What a fleet costs by role, on one machine: AGENTS=200 RATE=60 (events a second each) DURATION=60 CONSUMERS="1 2 4".
bench-fleet:
	scripts/bench-fleet.sh

# Full speed, a fault a second, reloads: SECONDS=600 of it.
soak: setup
	cargo bench --bench soak -- --seconds $(or $(SECONDS),600)

lint: setup
	cargo fmt --all --check && cargo clippy --workspace --all-targets --test machine --test languages -- -D warnings

# Licences, bans and sources of all dependencies.
deny:
	scripts/deny.sh

# Plugins, their answers, records and captures that are made up, looking for one that does harm:
# SECONDS=60 of each.
fuzz:
	scripts/fuzz.sh $(or $(SECONDS),60)

# Undefined behaviour in the crate that casts references.
miri:
	scripts/miri.sh

# A package for Debian and Ubuntu, in target/debian.
deb:
	scripts/deb.sh

# Installs, upgrades, removes and purges it in trees of Debian 12 and 13: needs root.
test-deb:
	scripts/test-deb.sh

# An archive with the program and what belongs to it, and its checksum, in target/dist.
dist:
	scripts/dist.sh

# Makes the crates that are published, and builds each from what would be published.
package:
	scripts/package.sh

# Installs what the build needs and this machine lacks: Debian packages, Rust with wasm32-wasip2.
setup:
	scripts/setup.sh
