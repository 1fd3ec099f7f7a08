# irqlab: host/ becomes build/irqlab (ELF), nt/ becomes build/nt/*.exe and *.dll (PE), examples/ become drivers.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo test lint bench soak install clean setup
B := build
PREFIX ?= /usr/local
# as many jobs as processors, unless the caller said how many
BUILD = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) -f tools/build.mk

all: setup
	@$(BUILD) all
demo: all
	@tools/demo
test: all
	@$(BUILD) tests
	@tests/run
# what takes too long for every change (tests/*/soak): a thousand repeats, a million schedules, ten thousand damaged images
soak: all
	@$(BUILD) tests plain
	@LIST=soak tests/run
lint: setup
	@tools/lint
bench: all
	@$(BUILD) benches
	@tests/bench/run
install: all
	@IRQLAB_PREFIX="$(PREFIX)" tools/install "$(DESTDIR)$(PREFIX)"
clean:
	rm -rf $(B)
setup:
	@tools/setup
