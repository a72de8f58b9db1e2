# make run: try it here.  make demo: two machines boot.  make deb: Debian packages.
# make test: every test.  make test-long: longer campaigns.

PYTHON ?= python3
BIN := .venv/bin

# What the daemon needs of Debian, Ubuntu or Raspberry Pi OS; and what its tests need besides.
PACKAGES := python3-venv ipxe git e2fsprogs
LAB_PACKAGES := iproute2 util-linux dnsmasq-base \
	qemu-system-x86 seabios ipxe-qemu ovmf qemu-system-arm qemu-efi-aarch64
TEST_PACKAGES := $(LAB_PACKAGES) git-lfs curl openssl sqlite3 openssh-client openssh-server \
	busybox-static cpio systemd tcpdump tftp-hpa atftp udhcpc isc-dhcp-client nmap u-boot-qemu \
	bind9-dnsutils knot-dnsutils unbound dnsperf nginx-light groff-base \
	gnupg mtools dosfstools fdisk etcd-server etcd-client ntpsec-ntpdig \
	chromium fonts-dejavu-core prometheus openipmi ipmitool

# What `make test-long` needs besides: fresh systems, a judge of packages, and what counts instructions.
LONG_PACKAGES := debootstrap qemu-user-static lintian valgrind

.PHONY: setup setup-test deb packages run demo stand-ins stand-in-fleet test short-tests test-long bench-check bench-counts check format protos lock clean

define install_packages
	@missing=$$(for package in $(1); do \
		dpkg-query --show --showformat='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || echo $$package; \
	done); \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing system packages:" $$missing; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null || \
		{ echo "Missing, and not to be downloaded. Bring their .deb files, and: apt-get install ./*.deb. They are:" $$missing; exit 1; }; \
	else \
		echo "Not installed, for that needs root: sudo apt-get install" $$missing; \
	fi
endef

setup: packages .venv/.run

setup-test: setup .venv/.test
	$(call install_packages,$(TEST_PACKAGES))

packages:
	$(call install_packages,$(PACKAGES))

NO_PYTHON_PACKAGES := The Python packages cannot be downloaded. Without internet: on another host of this kind, \
	pip download --require-hashes --requirement requirements.lock --dest wheels. \
	Bring the folder wheels here, and: make run PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels

.venv/.run: requirements.lock pyproject.toml | packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "iluvatar-pxe needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock || { echo '$(NO_PYTHON_PACKAGES)'; exit 1; }
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: .venv/.run tests/requirements.lock
	$(BIN)/pip install --quiet --require-hashes --requirement tests/requirements.lock
	@touch $@

# Ports below 1024 may be forbidden; binding one on loopback tells.
LOW_PORT := import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 69))

run: setup
	@export ILUVATAR_PXE_LOG__FORMAT=console; \
	if $(BIN)/python -c '$(LOW_PORT)' 2>&1 | grep -q PermissionError; then \
		echo "No right to bind the ports 53, 67 and 69, so firmware cannot reach this daemon: it runs on 10053, 10067 and 10069."; \
		echo "For the real thing: sudo make run"; \
		export ILUVATAR_PXE_DHCP__PORT=10067 ILUVATAR_PXE_DHCP__CLIENT_PORT=10068 ILUVATAR_PXE_TFTP__PORT=10069 \
			ILUVATAR_PXE_DNS__PORT=10053; \
	fi; \
	exec $(BIN)/iluvatar-pxe serve

# Boot files and a fleet to try things with, where Talos and Raspberry Pi images are not at hand.
STAND_INS_DIRECTORY := $(CURDIR)/.cache/stand-ins
demo stand-ins: export XDG_CACHE_HOME := $(CURDIR)/.cache

stand-ins: setup
	@$(BIN)/iluvatar-pxe lab stand-ins $(STAND_INS_DIRECTORY)

demo: stand-ins
	$(call install_packages,$(LAB_PACKAGES))
	@$(BIN)/iluvatar-pxe lab demo $(STAND_INS_DIRECTORY)

ifdef STAND_INS
run: stand-ins
run: stand-in-fleet
run: export ILUVATAR_PXE_ASSETS__DIRECTORY := $(STAND_INS_DIRECTORY)/assets
run: export ILUVATAR_PXE_STATE__DIRECTORY := $(STAND_INS_DIRECTORY)/state
run: export ILUVATAR_PXE_CONTROL__SOCKET := $(STAND_INS_DIRECTORY)/state/control.sock
endif

ifdef OBSERVE
run: export ILUVATAR_PXE_NETWORK__DHCP := observe
endif

ifdef AS_REAL
run: export ILUVATAR_PXE_SIMULATE__AS_REAL := true
endif

# The stand-ins' fleet as a repository, whose history the daemon's own begins with.
STAND_IN_GIT := git -C $(STAND_INS_DIRECTORY)/fleet \
	-c user.name=stand-ins -c user.email=stand-ins@localhost -c commit.gpgsign=false
stand-in-fleet: stand-ins
	@test -d $(STAND_INS_DIRECTORY)/state/git || { \
		$(STAND_IN_GIT) init --quiet --initial-branch=main && $(STAND_IN_GIT) add --all && \
		$(STAND_IN_GIT) commit --quiet --message="Stand-ins for everything" && \
		$(BIN)/iluvatar-pxe fleet init --from $(STAND_INS_DIRECTORY)/fleet || \
		{ rm -rf $(STAND_INS_DIRECTORY)/state/git; exit 1; }; }

# Two processes for each processor, because tests mostly wait; not more than four, or emulated firmware starves.
PROCESSES := $(shell n=$$(($$(nproc) * 2)); echo $$((n < 4 ? n : 4)))

# The tests start hundreds of commands, each of which would compile the program again where compiled modules are not kept.
short-tests test-long: export PYTHONDONTWRITEBYTECODE :=

# The checks run beside the tests, which leave a processor idle at first.
test: setup-test
	@$(MAKE) --no-print-directory --jobs=2 check short-tests

# One process compiles the tests' modules, or each would, at the same time. Faults in them are told by the run itself.
.venv/.compiled: $(shell find iluvatar_pxe bench tests -name '*.py') .venv/.test
	@$(BIN)/pytest --collect-only -qq >/dev/null || true
	@touch $@

# What fails while four processes share the processors is tried again alone. What fails then, has failed.
short-tests: setup-test .venv/.compiled
	@export MAKEFLAGS=; $(BIN)/pytest -m "not long" --numprocesses=$(PROCESSES) --dist=worksteal || { \
		test $$? = 1 && echo "Trying again, alone, what failed:" && $(BIN)/pytest -m "not long" --last-failed --last-failed-no-failures=none; }

# The campaigns, and all but the firmware in an order by chance: no test may need what another has left.
test-long: setup-test
	$(call install_packages,$(LONG_PACKAGES))
	@$(MAKE) --no-print-directory bench-check
	$(BIN)/pytest -m long --timeout=3600
	$(BIN)/pytest -m "not long and not firmware" -p randomly --numprocesses=$(PROCESSES)

# Instructions for what machines ask for most, beside those in bench/counts.toml; bench-counts writes them there anew.
bench-check: setup-test
	$(call install_packages,valgrind)
	$(BIN)/python -m bench.counts

bench-counts: setup-test
	$(call install_packages,valgrind)
	$(BIN)/python -m bench.counts --write

check: setup-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format:
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Code for the messages of Talos and etcd. tests/layers/test_protos.py compares it with what is committed.
PROTOS := iluvatar_pxe/layers/arda/api/protos/*.proto iluvatar_pxe/layers/etcd/protos/*.proto
PROTOS_OUT ?= .
PROTOC := $(BIN)/python -m grpc_tools.protoc --proto_path=. \
	--plugin=protoc-gen-grpclib_python=$(BIN)/protoc-gen-grpclib_python
protos: | .venv/.test
	$(PROTOC) --python_out=$(PROTOS_OUT) --pyi_out=$(PROTOS_OUT) $(PROTOS)
	$(PROTOC) --grpclib_python_out=$(PROTOS_OUT) $$(grep --files-with-matches ^service $(PROTOS))

# Debian packages that carry what requirements.lock pins; see systemd/debian.
DEB_DIRECTORY ?= dist
deb: setup
	@for architecture in amd64 arm64; do sh systemd/debian/build $$architecture $(DEB_DIRECTORY) || exit 1; done

# Needs uv. The locks name no package index: whoever installs uses their own.
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
lock:
	$(LOCK) --upgrade pyproject.toml --group build --output-file requirements.lock
	$(LOCK) --upgrade --group test --constraint requirements.lock --output-file tests/requirements.lock

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
