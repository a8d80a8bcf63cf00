# `make` lists the targets. Nothing but git, make and python3 need be on the machine.
#
#   PYTHON=python3.12   another interpreter (3.11 to 3.14)

PYTHON ?= python3
# Half of their time the tests wait for servers, so that two workers a core keep it busy.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
BIN := .venv/bin
LOCK = build/release/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

export PYTHON
export PYTHONUNBUFFERED = 1

# The central side reads no scanner, prints no page and has no station registry.
BOX_ONLY := evdev pydyf pyserial tinydb xlsxwriter zxing-cpp

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo hl7 pictures test lint check deb install-test install-check release bench vm-test fleet region faults soak mutants lock \
	wheelhouse sbom install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## the whole chain on this machine, nothing to set up (COUNT=20 ends after 20 events)
	@scripts/environment.sh demo
	@$(BIN)/scangate demo $(if $(COUNT),--count $(COUNT))

# A file's tests stay in one worker, one after the other: they share its server or browser.
test: ## every test that needs no special machine, on all cores (PYTEST_ARGS="-k gs1", WORKERS=0: one by one)
	@scripts/environment.sh dev mosquitto systemd-analyze strace chromium-headless-shell initdb promtool sshd nginx
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: ## format, lint and types
	@scripts/environment.sh dev
	@failed=0; \
	$(BIN)/ruff format --check || failed=1; \
	$(BIN)/ruff check || failed=1; \
	$(BIN)/mypy || failed=1; \
	exit $$failed

check: lint test ## lint and test: what CI runs

bench: ## the benchmarks beside their peers: a table and build/bench.json
	@scripts/environment.sh dev mosquitto strace sqlite3 initdb
	@$(BIN)/python tests/bench/run.py

vm-test: ## USB, systemd and power cuts in an emulated machine, as root (SCANS=100 CUTS=5 SUITE=trixie)
	@scripts/environment.sh dev mosquitto qemu-system-x86_64 qemu-img mmdebstrap mke2fs depmod cpio xz nbdkit
	@SCANGATE_VM=1 SCANGATE_VM_SCANS=$(or $(SCANS),1000) SCANGATE_VM_CUTS=$(or $(CUTS),30) \
		SCANGATE_VM_SUITE=$(or $(SUITE),bookworm) $(BIN)/python -m pytest tests/vm -s -v $(PYTEST_ARGS)

fleet: ## a thousand gateways at a NATS cluster and a mosquitto that lose a node (FLEET_ARGS="--gateways 100")
	@scripts/environment.sh dev mosquitto
	@$(BIN)/python tests/fleet/run.py $(FLEET_ARGS)

region: ## a region in miniature, its central side killed and wiped while people scan (BOXES=200)
	@scripts/environment.sh dev initdb
	@$(BIN)/python -m tests.region.run --boxes $(or $(BOXES),200) $(REGION_ARGS)

faults: ## every fault at every point: SIGKILL, full disk, lying brokers, cut networks; writes docs/faults.md
	@scripts/environment.sh dev mosquitto strace
	@SCANGATE_DAMAGES=1000 $(BIN)/python -m pytest -q tests/outbox/test_damage.py
	@$(BIN)/python -m tests.faults.run --write
	@$(BIN)/python -m tests.faults.chaos 3

soak: ## random faults for a while, counts at the end (MINUTES=60, SEED=n)
	@scripts/environment.sh dev mosquitto strace
	@$(BIN)/python -m tests.faults.soak $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

hl7: ## from scans to HL7 v2 messages in a listener, on this machine, nothing to set up (COUNT=5)
	@scripts/environment.sh demo
	@scripts/environment.sh intake
	@mkdir -p build && rm -f build/hl7.db*
	@$(BIN)/python docs/hl7_listener.py 2575 & listener=$$!; trap 'kill $$listener' EXIT; \
	$(BIN)/scangate demo --count $(or $(COUNT),5) --intake build/hl7.db && \
	$(BIN)/scangate-intake forward --database sqlite:///build/hl7.db --to mllp://127.0.0.1:2575 --once

pictures: ## the pictures of the documentation, by a real browser
	@scripts/environment.sh dev chromium-headless-shell
	@$(BIN)/python -m tests.display.screenshot docs/pictures
	@$(BIN)/python -m tests.intake.screenshot docs/pictures

mutants: ## wrong lines in the promise's core that no test notices (AREA=outbox: of that area only)
	@scripts/environment.sh dev mosquitto
	@$(BIN)/python -m tests.mutants.run $(AREA)

lock: ## the lock files from pyproject.toml (UPGRADE=1 takes the newest versions)
	@VENV=build/release scripts/environment.sh release
	$(LOCK) --group build -o requirements/build.txt
	$(LOCK) --group release -o requirements/release.txt
	$(LOCK) --group rollout -o requirements/rollout.txt
	$(LOCK) pyproject.toml --extra dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra demo --extra gpio --no-emit-package evdev -c requirements/dev.txt \
		-o requirements/demo.txt  # it needs a compiler, and the demo reads no keyboard
	$(LOCK) pyproject.toml --extra gpio -c requirements/dev.txt -o requirements/run.txt
	$(LOCK) pyproject.toml --extra intake $(addprefix --no-emit-package ,$(BOX_ONLY)) -c requirements/dev.txt \
		-o requirements/intake.txt

wheelhouse: ## a folder that installs without a network (WHEELHOUSE=wheelhouse)
	@scripts/wheelhouse.sh $(or $(WHEELHOUSE),wheelhouse)

deb: ## Debian packages in build/deb (ARCH=arm64, SUITE=trixie: only these)
	@scripts/environment.sh demo dpkg-deb mmdebstrap x86_64-linux-gnu-gcc aarch64-linux-gnu-gcc
	@for suite in $(or $(SUITE),bookworm trixie); do for arch in $(or $(ARCH),amd64 arm64); do \
		for package in scangate scangate-intake; do $(BIN)/python deploy/debian/build.py --package $$package \
		--suite $$suite --arch $$arch --out build/deb || exit; done; done; done

install-test: ## the packages in booted Debian 12 and 13, as root (SUITE=bookworm: only this one)
	@scripts/environment.sh dev mosquitto mmdebstrap systemd-nspawn qemu-aarch64-static lintian gpg openssl ssh-keygen
	@$(MAKE) --no-print-directory deb $(if $(SUITE),SUITE=$(SUITE))
	@[ -x build/rollout/bin/ansible-playbook ] || { $(PYTHON) -m venv build/rollout && build/rollout/bin/pip \
		--disable-pip-version-check install --quiet --require-hashes -r requirements/rollout.txt; }
	@SCANGATE_INSTALL=1 $(if $(SUITE),SCANGATE_INSTALL_SUITES=$(SUITE)) \
		$(BIN)/python -m pytest tests/install -v -p no:xdist $(PYTEST_ARGS)

install-check: ## four minutes of install-test; says so where the machine cannot boot a guest
	@scripts/install_check.sh

release: ## what is published, signed: packages, apt repository, wheelhouse, SBOM, VEX (SIGN_WITH=KEY)
	@scripts/environment.sh demo dpkg-deb gpg
	@scripts/release.sh $(or $(RELEASE),build/release-$(shell sed -n 's/^VERSION: Final = "\(.*\)"/\1/p' gateway/__init__.py))

sbom: wheelhouse ## the bill of materials (CycloneDX), in the wheelhouse
	@echo "$(or $(WHEELHOUSE),wheelhouse)/scangate.cdx.json"

# With WHEELHOUSE=folder a ready one is installed, without a network; else it is made first.
install: $(if $(WHEELHOUSE),,wheelhouse) ## on this machine, as root (WHEELHOUSE=folder, DESTDIR=folder)
	@DESTDIR='$(DESTDIR)' scripts/install.sh $(or $(WHEELHOUSE),wheelhouse)

uninstall: ## removes the program; configuration and scans stay
	@DESTDIR='$(DESTDIR)' scripts/install.sh --uninstall

clean: ## what make made
	rm -rf .venv build dist wheelhouse .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
