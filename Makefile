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
# factord and factord-usb use cgo. libpcsclite is not linked in: it has to fit pcscd. Both
# read what attackers write, so they lie at an address that nobody can know, and their C is
# built like the PAM module's.
cgo    = CGO_ENABLED=1 CGO_CFLAGS='-g -O2 -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3' \
	$(GO) build $(GOFLAGS) -buildmode=pie -ldflags '-linkmode=external -extldflags=-Wl,-z,relro,-z,now $(1)' -o bin/
tool   = $(GO) tool -modfile=packaging/tools/go.mod

# Where systemd and udev look: a package's files are below /usr, an admin's in /etc.
VENDOR       = $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)
UNITDIR     ?= $(VENDOR)/systemd/system
SYSUSERSDIR ?= $(VENDOR)/sysusers.d
TMPFILESDIR ?= $(VENDOR)/tmpfiles.d
UDEVDIR     ?= $(VENDOR)/udev/rules.d
ZSHDIR      ?= $(PREFIX)/share/zsh/site-functions
# Units, man pages and all that people read say where things are.
installed = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|/usr/libexec/|$(PREFIX)/libexec/|g' -e 's|/usr/local/|$(PREFIX)/|g' \
	-e 's|/etc/udev/rules.d/|$(UDEVDIR)/|g'
# In one folder lie README.md, the configuration and the pages of packaging/doc, the snippets below
# it; CONTRIBUTING.md is for who has the source.
linked = -e 's@](packaging/doc/@](@g' -e 's@](\.\./\.\./README\.md@](README.md@g' -e 's@](\(\.\./\.\./\)*pam/snippets@](pam@g' \
	-e 's@](\(\.\./\.\./\)*CONTRIBUTING\.md@](https://github.com/factord/factord/blob/main/CONTRIBUTING.md@g'

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

.PHONY: build module demo test check bench e2e vm-test fuzz fuzz-module install deb rpm package-test selinux-test clean

build:
	@packaging/need build
	$(call cgo) ./cmd/factord
	$(call cgo,-s -w -X main.version=$(VERSION)) ./cmd/factord-usb
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
VM_OPTIONS ?=
VIRTUALKEY = $(wildcard usb/virtual/cmd)
vm-test: build
	@packaging/need vm
	$(if $(VIRTUALKEY),$(static)virtual-yubikey ./$(VIRTUALKEY))
	@packaging/vm/test $(VM_OPTIONS) $(VM_TESTS)

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

# Pages of the manual, which name folders below PREFIX, what shells complete with, and documentation.
.PHONY: install-texts
install-texts:
	for f in README.md conf/factord.toml packaging/doc/*.md; do \
		$(installed) $(linked) $$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/doc/factord/$${f##*/} || exit 1; done
	for f in pam/snippets/*; do \
		$(installed) $$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/doc/factord/pam/$${f##*/} || exit 1; done
	for f in packaging/man/*.[1-8]; do \
		$(installed) $$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$${f##*/} || exit 1; done
	for f in $(notdir $(wildcard packaging/completions/*.bash)); do \
		install -D -m 0644 packaging/completions/$$f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$${f%.bash} || exit 1; done
	for f in $(notdir $(wildcard packaging/completions/_*)); do \
		install -D -m 0644 packaging/completions/$$f $(DESTDIR)$(ZSHDIR)/$$f || exit 1; done
	for f in $(notdir $(wildcard packaging/completions/*.fish)); do \
		install -D -m 0644 packaging/completions/$$f $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$f || exit 1; done

install:
	@test -x bin/factord -a -x bin/factord-usb -a -x bin/factorctl -a -x bin/factor-helper -a -f bin/pam_factord.so || { echo "make build first"; exit 1; }
	install -D -m 0755 bin/factord $(DESTDIR)$(PREFIX)/sbin/factord
	install -D -m 0755 bin/factorctl $(DESTDIR)$(PREFIX)/bin/factorctl
	install -D -m 0755 bin/factor-helper $(DESTDIR)$(PREFIX)/libexec/factor-helper
	install -D -m 0755 bin/factord-usb $(DESTDIR)$(PREFIX)/libexec/factord-usb
	install -D -m 0644 bin/pam_factord.so $(DESTDIR)$(PAMDIR)/pam_factord.so
	test -z "$(PAMCONFIGS)" || install -D -m 0644 -t $(DESTDIR)$(PAMCONFIGS) packaging/pam-configs/factord packaging/pam-configs/factord-sudo
	@$(MAKE) install-texts
	for f in factord.socket factord.service factord-usb.socket factord-usb@.service; do \
		$(installed) packaging/systemd/$$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(UNITDIR)/$$f; done
	for f in factord factord-usb; do \
		install -D -m 0644 packaging/systemd/$$f.sysusers $(DESTDIR)$(SYSUSERSDIR)/$$f.conf; done
	install -D -m 0644 packaging/systemd/factord.tmpfiles $(DESTDIR)$(TMPFILESDIR)/factord.conf
	install -D -m 0644 packaging/udev/70-factord-usb.rules $(DESTDIR)$(UDEVDIR)/70-factord-usb.rules
	test -z "$(POLKITRULES)" || install -D -m 0644 packaging/polkit/70-factord-usb.rules $(DESTDIR)$(POLKITRULES)/70-factord-usb.rules
	test -z "$(APPARMORDIR)" || for f in factord factord-usb; do \
		$(installed) packaging/apparmor/$$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(APPARMORDIR)/$$f; done
	for f in factord.te factord.if factord.fc; do \
		sed 's|^/usr/|$(PREFIX)/|' packaging/selinux/$$f | install -D -m 0644 /dev/stdin $(DESTDIR)$(PREFIX)/share/doc/factord/selinux/$$f; done
	install -D -m 0644 packaging/logrotate $(DESTDIR)/etc/logrotate.d/factord
	install -d -m 0755 $(DESTDIR)/etc/factord
	test -e $(DESTDIR)/etc/factord/factord.toml || install -m 0640 conf/factord.toml $(DESTDIR)/etc/factord/factord.toml

# Packages of both kinds from one description (packaging/nfpm), into dist/.
# They say which commit they are of, whatever the go command is told elsewhere.
deb rpm: GOFLAGS += -buildvcs=auto
deb rpm: build
	@packaging/need $@
	@packaging/nfpm/build $@

# The whole life of the packages on Debian 12 and 13, each in a folder of its own, as root: all,
# or make package-test PACKAGE_TESTS="trixie rpm".
package-test: deb rpm
	@packaging/need package-test
	@packaging/nfpm/test/all $(PACKAGE_TESTS)

clean:
	rm -rf bin dist .fuzz
