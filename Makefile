# Each target installs what it misses through packaging/setup.sh, which says so.
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test test-faults test-kiosk test-sabotage test-windows soak bench deb test-deb image test-image
.PHONY: build-windows compare-image msi test-msi test-windows-parts test-windows-station

# The main job on virtual badges and real apps. With a display it opens a window; without one it runs
# a scripted shift and leaves pictures and the verified log in target/demo.
demo:
	packaging/setup.sh test
	cargo build --bins
	$(TARGET)/debug/cleanshiftctl demo $(if $(DISPLAY),window,shift)

# Built once more, with bugs to plant, places to fail in and gates to switch off, which no release has; what was
# built so is built over afterwards, however it ends.
FAULTY := --features planted-bugs,faults,sabotage
over = ; ended=$$?; cargo build --bins && exit $$ended

# Most tests wait for real parts longer than they compute.
TEST_THREADS ?= $(shell expr $$(nproc) \* 3 / 2)
test:
	packaging/setup.sh test
	cargo test -- --test-threads=$(TEST_THREADS)
	cargo test $(FAULTY) --test handoff_walk --test shift --test log_verify planted $(over)
	$(MAKE) test-faults
	$(MAKE) test-sabotage

# The real station, killed at every step of a handoff, with a full disk, a clock that jumps and more.
test-faults:
	packaging/setup.sh test
	cargo test $(FAULTY) --test faults $(over)

# Switches off every gate and every step of the clean-up, one at a time: each must be reported.
test-sabotage:
	packaging/setup.sh test
	cargo test $(FAULTY) --test sabotage -- --test-threads=1 $(over)

# The kiosk's units on this machine's own systemd, booted in namespaces. As root.
test-kiosk:
	packaging/setup.sh test
	cargo build --bins
	tests/kiosk/boot.sh $(TARGET)/debug

# The programs for Windows, built here and run under Wine: the parts that both systems share, the package's life, and
# the station with a real window and a virtual badge, from where it was built and installed by the package. Of the
# simulated ward fewer days than on Linux, and not every fault at every point of one, which takes Wine seven minutes.
test-windows: test-windows-parts test-windows-station

# The programs come from the build of the tests: another would take the same time again.
# What WINE_MORE looks at is one code for both systems.
WINE_MORE = --test handoff_walk --test log_index --test log_pending --test log_verify --test policies
WINE_TESTED = --lib --test screens $(WINE_MORE)
build-windows:
	packaging/setup.sh msi
	packaging/cargo-windows.sh test --no-run $(WINE_TESTED) --test shift --example adversary

test-windows-parts: build-windows
	tests/wine/check.sh
	packaging/cargo-windows.sh test $(WINE_TESTED)
	SEEDS=500 packaging/cargo-windows.sh test --test shift -- --skip every_single_fault
	packaging/msi/msi.sh $(TARGET)/windows/x86_64-pc-windows-gnu/debug
	tests/msi/run.sh $(TARGET)/windows/x86_64-pc-windows-gnu/debug

# What test-windows-parts has built, driven and looked at from Linux.
test-windows-station:
	packaging/setup.sh test
	cargo test --test station_windows -- --ignored --test-threads=1

# More days of the simulated ward than `make test` runs: make soak SEEDS=1000000 FIRST=10001
SEEDS ?= 100000
FIRST ?= 10001
soak:
	packaging/setup.sh test
	SEEDS=$(SEEDS) FIRST=$(FIRST) cargo test --test shift every_promise -- --nocapture

bench:
	packaging/setup.sh bench
	cargo build --release --bins
	cargo bench --bench bench

# The package: target/debian/cleanshift_VERSION_ARCHITECTURE.deb. PROFILE=dev packs the programs of a
# development build, which are there sooner.
PROFILE ?= release
deb:
	packaging/setup.sh deb
	cargo build --locked --profile $(PROFILE) --bins --features pages
	packaging/deb.sh $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
	lintian --allow-root --fail-on error,warning $(TARGET)/debian/cleanshift_*.changes

# Installs, runs, upgrades, downgrades, removes and purges the package in root file systems of Debian, which
# are made once in target/deb: make test-deb SUITES=trixie
SUITES ?= bookworm trixie
test-deb:
	$(MAKE) deb
	tests/deb/run.sh $(SUITES)

# A disk image of a station, of Debian 13 and the package: target/image/cleanshift.raw and .qcow2, as root. What
# operators work with is named: make image APPS="chromium firefox-esr"
image: export APPS ?= chromium
image:
	packaging/setup.sh image
	$(MAKE) deb
	packaging/image/build.sh $(TARGET)/debian/cleanshift_$(VERSION)_$(shell dpkg --print-architecture).deb $(IMAGE)
IMAGE ?= $(TARGET)/image
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

# Starts an image in QEMU without KVM and works there: a seed, a badge, a PIN, an app, a power cut, the log. It is
# slow; its pictures are kept in target/image/test. The image is one for the test, with a terminal: target/image/tried.
test-image: export APPS ?= xterm
test-image:
	$(MAKE) image IMAGE=$(TARGET)/image/tried
	cargo build --bin cleanshiftctl
	tests/image/run.sh $(TARGET)/image/tried $(TARGET)/debug/cleanshiftctl $(TARGET)/image/test

# Makes the image a second time, and lists what differs.
compare-image: export APPS ?= chromium
compare-image:
	$(MAKE) image
	packaging/image/again.sh $(TARGET)/debian/cleanshift_$(VERSION)_$(shell dpkg --print-architecture).deb $(TARGET)/image

# The package for Windows: target/msi/cleanshift-VERSION-x64.msi, unsigned unless CLEANSHIFT_SIGN_CERT and
# CLEANSHIFT_SIGN_KEY name a certificate and its key. PROFILE=dev packs the programs of a development build.
WINDOWS := $(TARGET)/windows/x86_64-pc-windows-gnu/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
msi:
	packaging/setup.sh msi
	packaging/cargo-windows.sh build --locked --profile $(PROFILE) --bins
	packaging/msi/msi.sh $(WINDOWS)

# Installs, runs, upgrades, downgrades and uninstalls the package under Wine.
test-msi:
	$(MAKE) msi
	tests/msi/run.sh $(WINDOWS)
