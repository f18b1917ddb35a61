# The only commands a newcomer needs. `make help` lists them.
#
#   make run DEMO=1            with a small living market to look at
#   make run ARGS='--roles web'
#
# One cargo profile (release) and always the whole workspace, so that a machine compiles each dependency once.

.DEFAULT_GOAL := run
.PHONY: run test load bench lint build clean help prepare prepare-test tools
.SUFFIXES:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# rustup's directory may be missing from the PATH of a script.
export PATH := $(PATH):$(HOME)/.cargo/bin
BIN := target/release

run: prepare build ## build everything and serve on http://127.0.0.1:8080 (Ctrl-C ends it; data/ keeps the data)
	@exec $(BIN)/orderboard serve $(if $(DEMO),--demo) $(ARGS)

test: prepare-test web/dist/index.html ## every test there is; the last line says how many passed and failed
	@exec tests/run

load: prepare build ## thousands of takers, then a herd on one order, against servers of their own
	$(BIN)/orderboard-load takers $(ARGS)
	$(BIN)/orderboard-load herd $(ARGS)

bench: prepare build ## the measurements behind the README's figures
	$(BIN)/orderboard-load bench $(ARGS)

lint: tools web/dist/index.html ## formatting, clippy, licences and bans, the page's types
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check; \
	else echo "licences and bans not checked: cargo install --locked cargo-deny"; fi
	cd web && npm run --silent check

build: tools web/dist/index.html ## the page and the release binaries
	cargo build --release --workspace

clean: ## everything that can be built again; data/ stays
	cargo clean
	rm -rf web/dist web/node_modules

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- the page ----

web/node_modules/.installed: web/package.json web/package-lock.json | tools
	cd web && npm ci --no-audit --no-fund
	@touch $@

# Directories too: their time changes when a file goes away.
WEB_SOURCES := $(shell find web -mindepth 1 \( -name node_modules -o -name dist -o -name '.*' \) -prune -o -print 2>/dev/null)

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES) | tools
	cd web && npm run --silent build
	@touch $@

# ---- what the machine must have ----

have = $(shell for p in $(1); do PATH='$(PATH):/usr/sbin:/usr/local/sbin' command -v $$p; done 2>/dev/null; true)
unless-have = $(if $(call have,$(1)),,$(2))

# Its own MariaDB and Redis are started for a server that is told of no others; the tests always start theirs.
DEB_CC = $(call unless-have,cc,gcc libc6-dev)
DEB_MARIADB = $(call unless-have,mariadbd,mariadb-server-core mariadb-client-core)
DEB_REDIS = $(call unless-have,redis-server valkey-server,redis-server)
DEB_BROWSER = $(call unless-have,chromium chromium-browser google-chrome,chromium)
DEB_PROXIES = $(call unless-have,haproxy,haproxy) $(call unless-have,nginx,nginx-light)
DEB_FONT = $(if $(shell fc-list :lang=ru 2>/dev/null),,fontconfig fonts-dejavu-core)

prepare: DEBS = $(DEB_CC) $(if $(DATABASE_URL),,$(DEB_MARIADB)) $(if $(REDIS_URL),,$(DEB_REDIS))
prepare-test: DEBS = $(DEB_CC) $(DEB_MARIADB) $(DEB_REDIS) $(DEB_PROXIES) $(DEB_BROWSER) $(DEB_FONT)

# policy-rc.d keeps a fresh package from starting its service: nothing here needs a server of the machine's.
prepare prepare-test: tools
	@debs="$(strip $(DEBS))"; [ -n "$$debs" ] || exit 0; \
	command -v apt-get >/dev/null || { echo "Please install what Debian calls: $$debs" >&2; exit 1; }; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; \
	else echo "Please have an administrator run: apt-get install $$debs" >&2; exit 1; fi; \
	echo "Installing $$debs"; \
	policy=/usr/sbin/policy-rc.d; \
	if [ ! -e $$policy ]; then \
	  trap "$$sudo rm -f $$policy" EXIT; trap 'exit 1' INT TERM; \
	  printf '#!/bin/sh\nexit 101\n' | $$sudo tee $$policy >/dev/null; $$sudo chmod 755 $$policy; \
	fi; \
	apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"; \
	$$apt update || echo "Going on with the package lists of before." >&2; \
	$$apt install -y --no-install-recommends $$debs

tools:
	@command -v cargo >/dev/null || { echo "Please install Rust 1.95 or newer (rustup): cargo not found." >&2; exit 1; }
	@command -v node >/dev/null && command -v npm >/dev/null \
	  && node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
	  || { echo "Please install Node.js 20.19 or newer with npm: $$(node --version 2>/dev/null || echo 'node not found')." >&2; exit 1; }
