# irqlab: host/ becomes build/irqlab (ELF), nt/ becomes build/nt/*.exe and *.dll (PE), examples/ become drivers.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo test bench install clean setup
B := build
PREFIX ?= /usr/local

all: setup
	@$(MAKE) --no-print-directory -f tools/build.mk all
demo: all
	@tools/demo
test: all
	@$(MAKE) --no-print-directory -f tools/build.mk tests
	@tests/run
bench: all
	@$(MAKE) --no-print-directory -f tools/build.mk tests
	@tests/bench/run
install: all
	@tools/install "$(DESTDIR)$(PREFIX)"
clean:
	rm -rf $(B)
setup:
	@tools/setup
