# replibridge: a daemon that makes every model on Replicate usable through OpenAI's API.
#
#   make            build build/replibridge
#   make demo       a chat completion from a slow-booting model, on the simulated Replicate unless a token is set
#   make check      all tests (SAN=asan or SAN=tsan: under that sanitizer)
#   make run        serve config.yaml (or what REPLICATE_API_TOKEN allows)
#   make help       the rest

SAN ?=
WERROR ?=
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build$(if $(SAN),-$(SAN))
CONFIG ?= config.yaml

PACKAGES := libmicrohttpd libcurl jansson yaml-0.1
PKG_CONFIG ?= pkg-config

.DEFAULT_GOAL := all

# Missing packages are installed first, so that one command is enough: make remakes what it includes before anything
# else, and then starts over, so that the probes below see what was installed. Building needs less than testing.
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out clean help uninstall,$(GOALS)),)
  NEED := $(if $(filter-out all demo run install deb sbom $(BUILD)/replibridge $(BUILD)/replicate-sim,$(GOALS)),test,demo)
  NEED := $(if $(filter-out all run install deb sbom $(BUILD)/replibridge $(BUILD)/replicate-sim,$(GOALS)),$(NEED),build)
  NEED := $(if $(filter bench,$(GOALS)),bench,$(NEED))
  include $(BUILD)/.dependencies-$(NEED)
endif
$(BUILD)/.dependencies-%: scripts/install-dependencies.sh
	@mkdir -p $(@D)
	@CC='$(CC)' sh scripts/install-dependencies.sh $*
	@touch $@

comma := ,
try = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(1))
try_link = $(shell echo 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c - -o /dev/null 2>/dev/null && echo $(1))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wundef -Wpointer-arith -Wvla -Werror=incompatible-pointer-types \
            -Werror=int-conversion -Werror=implicit-function-declaration $(if $(WERROR),-Werror)

ifeq ($(SAN),asan)
  MODE_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  MODE_LINK := -fsanitize=address,undefined
else ifeq ($(SAN),tsan)
  MODE_FLAGS := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
  MODE_LINK := -fsanitize=thread
else ifeq ($(SAN),fuzz)
  MODE_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  MODE_LINK := -fsanitize=address,undefined
else
  HARDENING := $(call try,-fstack-protector-strong) $(call try,-fstack-clash-protection) \
               $(call try,-fcf-protection=full) $(call try,-mbranch-protection=standard) \
               -U_FORTIFY_SOURCE $(call try,-D_FORTIFY_SOURCE=3) -fPIE
  MODE_FLAGS := -O2 -g $(HARDENING)
  MODE_LINK := -pie $(call try_link,-Wl$(comma)-z$(comma)relro) $(call try_link,-Wl$(comma)-z$(comma)now) \
               $(call try_link,-Wl$(comma)-z$(comma)noexecstack) $(call try_link,-Wl$(comma)--as-needed)
endif
# Nobody asks for errno or traps of floating-point operations; without them, square roots and rounding are instructions,
# and the program does without the mathematical library (0.9 MB of an image). Where they are not, -lm is at hand.
ARITHMETIC := -fno-math-errno -fno-trapping-math
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -Iinclude -pthread -ffile-prefix-map=$(CURDIR)=. $(WARNINGS) $(ARITHMETIC) \
             $(MODE_FLAGS) $(PACKAGES_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(MODE_LINK) $(LDFLAGS)
PACKAGES_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lm
TEST_LIBS := $(shell $(PKG_CONFIG) --libs check 2>/dev/null)

ROOM_SOURCES := $(wildcard src/*/*.c)
ROOM_OBJECTS := $(ROOM_SOURCES:%.c=$(BUILD)/%.o)
SIM_SOURCES := $(wildcard tests/support/replicate_sim*.c)
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(BUILD)/%.o)
SUPPORT_SOURCES := $(filter-out %/replicate_sim_main.c,$(wildcard tests/support/*.c))
SUPPORT_OBJECTS := $(SUPPORT_SOURCES:%.c=$(BUILD)/%.o)
FAKE_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/machine/fake_*.c))
EXCHANGE_FAKES := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/exchange/fake_*.c)) \
                  $(BUILD)/tests/machine/fake_clock.o $(BUILD)/tests/machine/fake_loop.o
TEST_SOURCES := $(wildcard tests/unit/test_*.c tests/golden/test_*.c tests/machine/test_*.c tests/exchange/test_*.c \
                           tests/e2e/test_*.c)
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_REPLAYS := $(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=$(BUILD)/tests/fuzz/replay_%)
# Under ThreadSanitizer only what has threads: the daemon's tests, but for those in which it merely waits for a minute,
# and those that start some by themselves.
ifeq ($(SAN),tsan)
  TEST_SOURCES := $(filter-out tests/e2e/test_issue_slow.c tests/e2e/test_stream_slow_boot.c, \
                  $(filter tests/e2e/%,$(TEST_SOURCES))) \
                  $(shell grep -lE 'pthread_create|"(script_server|bridge|daemon)\.h"' $(filter-out tests/e2e/%,$(TEST_SOURCES)))
  FUZZ_REPLAYS :=
endif
TESTS := $(TEST_SOURCES:%.c=$(BUILD)/%)
FUZZERS := $(FUZZ_SOURCES:%.c=$(BUILD)/%)
FUZZ_SECONDS ?= 10
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*_bench.c))
SOAK := $(BUILD)/tests/soak/soak
SOAK_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/soak/*.c))
MINUTES ?= 10
LOAD_TOOLS := $(BUILD)/tests/bench/load/upstream $(BUILD)/tests/bench/load/holder
BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %_bench.c,$(wildcard tests/bench/*.c)))

# V=1 shows the commands; else there is a line each, and with -s nothing.
Q := $(if $(V),,@)
say = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-5s %s\n' $(1) $(2))

DAEMON := $(BUILD)/replibridge
SIM := $(BUILD)/replicate-sim
ARCHIVE := $(BUILD)/librooms.a
SUPPORT := $(BUILD)/libsupport.a

.PHONY: deb sbom all programs check check-clients lint valgrind fuzz fuzz-run bench bench-smoke soak demo run install uninstall clean help
.SECONDARY:

all: $(DAEMON)

$(DAEMON): $(BUILD)/src/main.o $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(SIM): $(SIM_OBJECTS) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(ARCHIVE): $(ROOM_OBJECTS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(SUPPORT): $(SUPPORT_OBJECTS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# The page is part of the program's text.
$(BUILD)/src/server/status_page.o: src/server/status.html

# Tests see their own folders too; machine tests link the fakes before the archive, so that the fakes win.
$(BUILD)/tests/%.o: ALL_CFLAGS += -Itests -Itests/support -DBUILD_DIR='"$(BUILD)"'

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/machine/test_%: $(BUILD)/tests/machine/test_%.o $(FAKE_OBJECTS) $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

$(BUILD)/tests/exchange/test_%: $(BUILD)/tests/exchange/test_%.o $(EXCHANGE_FAKES) $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

$(BUILD)/tests/bench/%_bench: $(BUILD)/tests/bench/%_bench.o $(BENCH_OBJECTS) $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

# What makes load and takes it: small programs that the runner of the benchmarks starts.
LOAD := $(BUILD)/tests/bench/load
$(LOAD)/upstream: $(patsubst %,$(LOAD)/%.o,upstream upstream_answer upstream_stream order) $(ARCHIVE)
$(LOAD)/holder: $(patsubst %,$(LOAD)/%.o,holder holder_client holder_message samples order) \
                $(BUILD)/tests/bench/event_reader.o $(ARCHIVE)
$(LOAD_TOOLS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(SOAK): $(SOAK_OBJECTS) $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

programs: $(DAEMON) $(SIM) $(TESTS) $(FUZZ_REPLAYS) $(BENCHES) $(LOAD_TOOLS) $(SOAK) ## all tests and benchmarks, built and not run

# A benchmark that does not compile is found without a sanitizer.
check: $(DAEMON) $(SIM) $(TESTS) $(FUZZ_REPLAYS) $(if $(SAN),,programs)
	@BUILD=$(BUILD) SAN=$(SAN) sh scripts/run-tests.sh $(TESTS) $(FUZZ_REPLAYS)

check-clients: $(DAEMON) $(SIM) ## real clients; installs what they have pinned (CLIENTS="python node": only these)
	@BUILD=$(BUILD) sh tests/clients/run.sh --install $(CLIENTS)

lint: ## the lints alone, without building
	@BUILD=$(BUILD) sh scripts/run-tests.sh

valgrind: $(DAEMON) $(TESTS) $(FUZZ_REPLAYS) ## the tests, and the daemon in some of them, under valgrind's memcheck
	@BUILD=$(BUILD) sh scripts/run-valgrind.sh $(TESTS) $(FUZZ_REPLAYS)

fuzz: ## each parser under libFuzzer for FUZZ_SECONDS=10 (needs clang)
	@$(MAKE) --no-print-directory CC=clang SAN=fuzz fuzz-run

fuzz-run: $(FUZZERS)
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) sh scripts/run-fuzzers.sh $(FUZZERS)

bench: $(DAEMON) $(SIM) $(BENCHES) $(LOAD_TOOLS) ## all benchmarks, in 20 minutes; LANES="a c": only these; RUNS=3: three times
	@python3 -B tests/bench/run.py --build $(BUILD) --write --lanes '$(LANES)' $(if $(RUNS),--runs $(RUNS) --rounds 3)
ifndef LANES
	@$(BUILD)/tests/bench/json_bench
	@$(BUILD)/tests/bench/mapping_bench
	@$(BUILD)/tests/bench/poll_bench
	@$(BUILD)/tests/bench/stream_bench
endif

soak: $(DAEMON) $(SOAK) ## clients of every manner against faults of every kind, for MINUTES=10
	@REPLIBRIDGE=$(DAEMON) $(SOAK) --seconds $$(($(MINUTES) * 60))

bench-smoke: $(DAEMON) $(SIM) $(BENCHES) $(LOAD_TOOLS) $(SOAK) ## the same, small: what is sent must arrive, and nothing be left
	@python3 -B tests/bench/run.py --build $(BUILD) --smoke
	@$(BUILD)/tests/bench/json_bench
	@$(BUILD)/tests/bench/mapping_bench
	@$(BUILD)/tests/bench/poll_bench
	@$(BUILD)/tests/bench/stream_bench --streams 100 --rounds 1 --seconds 3
	@REPLIBRIDGE=$(DAEMON) $(SOAK) --seconds 10

demo: $(DAEMON) $(SIM)
	@BUILD=$(BUILD) FROM_MAKE=1 sh scripts/demo.sh

run: $(DAEMON)
	$(DAEMON) $(if $(wildcard $(CONFIG)),--config $(CONFIG))

# The manual page of the configuration is written from the table of its keys.
$(BUILD)/manual: $(BUILD)/src/manual.o $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/replibridge.yaml.5: $(BUILD)/manual
	$(Q)$(BUILD)/manual >$@.new && mv $@.new $@

UNITDIR ?= $(PREFIX)/lib/systemd/system
DATADIR = $(DESTDIR)$(PREFIX)/share

install: $(DAEMON) $(BUILD)/replibridge.yaml.5 ## PREFIX=/usr/local DESTDIR= UNITDIR=PREFIX/lib/systemd/system
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) $(DATADIR)/man/man1 $(DATADIR)/man/man5 \
	    $(DATADIR)/doc/replibridge $(DATADIR)/bash-completion/completions $(DATADIR)/zsh/vendor-completions
	install -m 755 $(DAEMON) $(DESTDIR)$(PREFIX)/bin/replibridge
	sed 's|@BINDIR@|$(PREFIX)/bin|' packaging/systemd/replibridge.service >$(DESTDIR)$(UNITDIR)/replibridge.service
	chmod 644 $(DESTDIR)$(UNITDIR)/replibridge.service
	install -m 644 packaging/man/replibridge.1 $(DATADIR)/man/man1/
	install -m 644 $(BUILD)/replibridge.yaml.5 $(DATADIR)/man/man5/
	install -m 644 packaging/completion/replibridge.bash $(DATADIR)/bash-completion/completions/replibridge
	install -m 644 packaging/completion/_replibridge $(DATADIR)/zsh/vendor-completions/
	install -m 644 README.md config.yaml.example $(DATADIR)/doc/replibridge/
	cp -R config docs $(DATADIR)/doc/replibridge/

uninstall: ## what `make install` installed
	rm -f $(DESTDIR)$(PREFIX)/bin/replibridge $(DESTDIR)$(UNITDIR)/replibridge.service \
	    $(DATADIR)/man/man1/replibridge.1 $(DATADIR)/man/man5/replibridge.yaml.5 \
	    $(DATADIR)/bash-completion/completions/replibridge $(DATADIR)/zsh/vendor-completions/_replibridge
	rm -rf $(DATADIR)/doc/replibridge

deb: ## a Debian package in BUILD/deb
	@BUILD=$(BUILD) sh packaging/build-deb.sh

sbom: $(DAEMON) ## what the program links to, as CycloneDX, on standard output
	@sh packaging/sbom.sh $(DAEMON)

clean: ## every build directory
	rm -rf build build-*

help:
	@sed -n 's/^#   //p' Makefile
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/\1 \2/p' Makefile | while read -r target what; do \
		printf 'make %-11s %s\n' "$$target" "$$what"; done
