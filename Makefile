# make run: try it. make test: all tests. make setup: what both need.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin

SYSTEM_PACKAGES := python3-venv ipxe
TEST_PACKAGES := git curl iproute2 util-linux dnsmasq-base qemu-system-x86 seabios ipxe-qemu ovmf \
	busybox-static cpio tcpdump tftp-hpa atftp

.PHONY: setup run test test-long check lock clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@sh tools/system-packages $(SYSTEM_PACKAGES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

