# Two commands matter: `make demo` and `make test`. Each makes its own virtual environment and installs what it needs.

VENV  := .venv
BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS  ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint format lock configuration-page handlers-page cfx-models bench-cfx bench-journal bench-poison soak brokers clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.runtime ## Watch a simulated line become reports in a local WATS (about 30 s; ARGS="--seconds 10" for less)
	@$(BIN)/pywats-bridge demo $(ARGS)

test: $(VENV)/.dev brokers ## Run all tests; ARGS=--no-brokers leaves out those that need RabbitMQ, Mosquitto or PostgreSQL
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## Check style, types and the arrows between the packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/configuration_page.py --check
	@$(BIN)/python scripts/cfx_models.py --check
	@$(BIN)/python scripts/handlers_page.py --check

format: $(VENV)/.dev ## Put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/.dev ## Write the locks anew from pyproject.toml
	@$(BIN)/python scripts/lock.py

configuration-page: $(VENV)/.dev ## Write docs/configuration.md anew from the program
	@$(BIN)/python scripts/configuration_page.py

handlers-page: $(VENV)/.dev ## Write docs/handlers.md anew from the handlers
	@$(BIN)/python scripts/handlers_page.py

cfx-models: $(VENV)/.dev ## Write pywats_cfx/messages anew from catalogue/
	@$(BIN)/python scripts/cfx_models.py

bench-cfx: $(VENV)/.dev ## Measure reading and writing of CFX; fails when a goal is missed (ARGS="--rounds 20" for less)
	@$(BIN)/python -m benchmarks.bench_cfx $(ARGS)

bench-journal: $(VENV)/.dev ## Measure the journals; fails when a goal is missed (ARGS="--backlog 0" for less)
	@$(BIN)/python -m benchmarks.bench_journal $(ARGS)

bench-poison: $(VENV)/.dev ## Measure what malformed messages cost the others; fails when it is too much
	@$(BIN)/python -m benchmarks.bench_poison $(ARGS)

soak: $(VENV)/.dev ## Run the proofs that take long: kills, power cuts, long outages (ARGS=-s for their figures)
	@$(BIN)/python -m pytest -m soak $(ARGS)

clean: ## Remove the virtual environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info

brokers:
	@case " $(ARGS) " in *" --no-brokers "*) ;; *) scripts/need-rabbitmq.sh; scripts/need-postgres.sh; scripts/need-mosquitto.sh ;; esac

$(VENV)/bin/python:
	@scripts/make-venv.sh $(VENV)

# What builds comes first, so that nothing outside the locks is downloaded when python-qpid-proton is compiled.
define install
	@scripts/need-compiler.sh $(BIN)/python
	@$(PIP) install --require-hashes -r requirements-build.lock
	@$(PIP) install --require-hashes --no-build-isolation -r $(1)
	@$(PIP) install --no-deps --no-build-isolation --editable .
endef

$(VENV)/.runtime: requirements-build.lock requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing pywats-bridge and what it needs (AMQP 1.0 is compiled: about a minute)..."
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-build.lock requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing pywats-bridge and the tools to test it (AMQP 1.0 is compiled: about a minute)..."
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.runtime
