# factord: see README.md. Targets that need programs install what is missing.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go
GOFLAGS ?= -trimpath
FUZZTIME ?= 30s

export PATH := $(PATH):/usr/local/go/bin

# The version is for factor-helper and factord-usb; the others have it from the go command.
VERSION ?= $(shell git describe --always --abbrev=12 --dirty=+dirty 2>/dev/null)
static = CGO_ENABLED=0 $(GO) build $(GOFLAGS) -ldflags '-s -w -X main.version=$(VERSION)' -o bin/
# The C library's NSS is what knows the users, and libpcsclite and libusb the keys, so
# factord and factord-usb use cgo. libpcsclite is not linked in: it has to fit pcscd.
cgo    = CGO_ENABLED=1 $(GO) build $(GOFLAGS) -o bin/
tool   = $(GO) tool -modfile=packaging/tools/go.mod

# The PAM module: no parser or buffer of it is to be trusted without these.
CC        ?= gcc
# Where libpam looks for modules, whatever PREFIX is.
PAMDIR    ?= $(firstword $(wildcard /usr/lib/$(shell $(CC) -print-multiarch 2>/dev/null)/security /usr/lib64/security /usr/lib/security))
# pam-auth-update looks nowhere else; other systems have no such folder.
PAMCONFIGS ?= $(wildcard /usr/share/pam-configs)
# The same of polkit.
POLKITRULES ?= $(wildcard /usr/share/polkit-1/rules.d)
# And of AppArmor.
APPARMORDIR ?= $(wildcard /etc/apparmor.d)
MODFLAGS   = -std=gnu11 -Wall -Wextra -Werror -O2 -fPIC -fvisibility=hidden -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
MODLDFLAGS = -shared -Wl,-z,relro,-z,now,-z,defs
MODSOURCES = pam/pam_factord.c pam/person.c pam/options.c pam/verdict.c pam/mark.c pam/link.c pam/text.c

.PHONY: build module demo test check bench e2e vm-test fuzz fuzz-module selinux-test install clean

build:
	@packaging/need build
	$(cgo) ./cmd/factord
	$(cgo) -ldflags '-s -w -X main.version=$(VERSION)' ./cmd/factord-usb
	$(static) ./cmd/factor-helper
	$(static) ./cmd/factorctl
	@$(MAKE) module

MODULE ?= bin/pam_factord.so
module:
	$(CC) $(MODFLAGS) $(CFLAGS) $(MODLDFLAGS) -o $(MODULE) $(MODSOURCES) -lpam

# With a Duo service of its own, which is not installed.
demo: build
	$(static)duosim ./daemon/factordtest/duosim/cmd
	@bin/factorctl demo

# All tests. As root none is skipped; others skip what only root can do.
test: build
	@packaging/need test
	$(GO) vet ./...
	$(GO) test -race ./...
	@[ "$$(id -u)" = 0 ] || echo "Not root: the tests that need root were skipped (go test -v says which)."

e2e: build
	@packaging/need test
	$(GO) test -v ./pam/...

# Tests on a whole machine with systemd, sshd and USB, which QEMU makes: all, or
# make vm-test VM_TESTS="sudo ssh". The first time takes two minutes more.
VIRTUALKEY = $(wildcard usb/virtual/cmd)
vm-test: build
	@packaging/need vm
	$(if $(VIRTUALKEY),$(static)virtual-yubikey ./$(VIRTUALKEY))
	@packaging/vm/test $(VM_TESTS)

# What to run before landing.
check: test fuzz
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt these"; exit 1; }
	$(tool) staticcheck ./...
	@packaging/vulncheck "$(tool) govulncheck"

# Every parser for $(FUZZTIME). What a run finds interesting stays in .fuzz, and
# the next one starts from it.
fuzz: fuzz-module
	@packaging/fuzz $(FUZZTIME)

fuzz-module:
	@packaging/fuzz-module $(FUZZTIME)

# The SELinux policy module: compiled, linked into Debian's policy, and asked. As root.
selinux-test:
	@packaging/need selinux
	@packaging/selinux/test

bench: build
	@packaging/need bench
	$(GO) run ./daemon/factordtest/bench -bin bin
	$(GO) test -run '^$$' -bench Touch -benchtime 200x ./daemon/factor/piv ./daemon/factor/fido2

install:
	@test -x bin/factord -a -x bin/factord-usb -a -x bin/factorctl -a -x bin/factor-helper -a -f bin/pam_factord.so || { echo "make build first"; exit 1; }
	install -D -m 0755 bin/factord $(DESTDIR)$(PREFIX)/sbin/factord
	install -D -m 0755 bin/factorctl $(DESTDIR)$(PREFIX)/bin/factorctl
	install -D -m 0755 bin/factor-helper $(DESTDIR)$(PREFIX)/libexec/factor-helper
	install -D -m 0755 bin/factord-usb $(DESTDIR)$(PREFIX)/libexec/factord-usb
	install -D -m 0644 bin/pam_factord.so $(DESTDIR)$(PAMDIR)/pam_factord.so
	test -z "$(PAMCONFIGS)" || install -D -m 0644 packaging/pam-configs/factord $(DESTDIR)$(PAMCONFIGS)/factord
	install -d -m 0755 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 0644 packaging/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -d -m 0755 $(DESTDIR)$(PREFIX)/share/doc/factord/pam
	install -m 0644 README.md conf/factord.toml packaging/doc/*.md $(DESTDIR)$(PREFIX)/share/doc/factord/
	for f in pam/snippets/*; do \
		sed 's|/usr/libexec/|$(PREFIX)/libexec/|' $$f | install -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/doc/factord/pam/$${f##*/}; done
	install -d -m 0755 $(DESTDIR)/etc/systemd/system $(DESTDIR)/etc/sysusers.d $(DESTDIR)/etc/tmpfiles.d
	for unit in factord.service factord-usb@.service; do \
		sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/$$unit | install -m 0644 /dev/stdin $(DESTDIR)/etc/systemd/system/$$unit; done
	install -m 0644 packaging/systemd/factord.socket packaging/systemd/factord-usb.socket $(DESTDIR)/etc/systemd/system/
	install -D -m 0644 packaging/udev/70-factord-usb.rules $(DESTDIR)/etc/udev/rules.d/70-factord-usb.rules
	test -z "$(POLKITRULES)" || install -D -m 0644 packaging/polkit/70-factord-usb.rules $(DESTDIR)$(POLKITRULES)/70-factord-usb.rules
	test -z "$(APPARMORDIR)" || for profile in factord factord-usb; do \
		sed 's|@PREFIX@|$(PREFIX)|' packaging/apparmor/$$profile | install -D -m 0644 /dev/stdin $(DESTDIR)$(APPARMORDIR)/$$profile; done
	for f in factord.te factord.if factord.fc; do \
		sed 's|^/usr/|$(PREFIX)/|' packaging/selinux/$$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/doc/factord/selinux/$$f; done
	install -m 0644 packaging/systemd/factord.sysusers $(DESTDIR)/etc/sysusers.d/factord.conf
	install -m 0644 packaging/systemd/factord.tmpfiles $(DESTDIR)/etc/tmpfiles.d/factord.conf
	install -D -m 0644 packaging/logrotate $(DESTDIR)/etc/logrotate.d/factord
	install -d -m 0755 $(DESTDIR)/etc/factord
	test -e $(DESTDIR)/etc/factord/factord.toml || install -m 0640 conf/factord.toml $(DESTDIR)/etc/factord/factord.toml

clean:
	rm -rf bin .fuzz
