# Every target sets up what it needs in .venv; nothing outside the checkout is touched.
# Needs git, make, Python 3.11 to 3.13 with venv, and libgomp1 (LightGBM's OpenMP).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
MUTANTS_INSTALLED := $(VENV)/installed-mutants
RUNNABLE := $(VENV)/runnable

# One process of tests for each core. Those that run out of tests take some of the others'.
PYTEST := $(BIN)/python -m pytest -n logical --dist worksteal

E2E_ALONE := $(BIN)/python -m pytest tests/e2e
E2E_BESIDE := $(E2E_ALONE) -n 3 --dist loadgroup

# Tests start hundreds of interpreters. Without bytecode each compiles all libraries anew, which
# takes three times as long as to import them; uv leaves that to the first import.
unexport PYTHONDONTWRITEBYTECODE

# Shared by all checkouts: what mypy has found of a file that has not changed.
export MYPY_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hyn-k8s/mypy

# HyperGBM 0.3.2 needs older libraries than Hypernets does with our fixes.
HYPERGBM := .venv-hypergbm
HYPERGBM_INSTALLED := $(HYPERGBM)/installed

.PHONY: help demo check test lint unit chart manifests test-full test-docs test-benchmarks test-faults test-nfs test-soak test-mutants bench images kind-images kind-up kind-down e2e e2e-full e2e-network test-upstream test-hypernets test-hypergbm format constraints clean

help: ## this list
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(RUNNABLE) ## a parallel search on real data, on this machine
	$(BIN)/hyn-k8s run --storage-root workdir examples/heart_disease.py

check: lint ## format, lint, types, import rules, every test that starts no process
	$(PYTEST) --no-processes $(ARGS)

test: lint unit chart ## all that check does, the tests that start processes, and the chart

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(INSTALLED) ## the tests of every folder
	$(PYTEST) $(ARGS)

chart: $(INSTALLED) ## the chart and the manifests, by Helm and kubeconform (on the path, or built by Go)
	$(BIN)/python -m tests.kind programs helm kubeconform
	$(PYTEST) -m helm tests/chart $(ARGS)

test-full: $(INSTALLED) ## the longer tests that make test leaves out
	$(PYTEST) -m 'full and not e2e' $(ARGS)

test-docs: $(INSTALLED) ## the commands of README and every example, typed as they stand there
	$(PYTEST) -m docs $(ARGS)

test-benchmarks: $(INSTALLED) ## whether the benchmarks run, each with few trials
	$(BIN)/python -m pytest -m benchmarks tests/benchmarks $(ARGS)

test-faults: $(INSTALLED) ## killed, stopped and failing drivers, workers, schedulers, storages (80 minutes)
	$(BIN)/python -m pytest -m faults tests/faults $(ARGS)

test-nfs: $(INSTALLED) ## an NFS server and two NFS clients, each a kernel of its own (six minutes; Debian 12, root)
	$(BIN)/python -m pytest -m nfs tests/nfs $(ARGS)

test-soak: $(INSTALLED) ## three hundred searches in one process (a minute)
	$(BIN)/python -m pytest -m soak tests/soak $(ARGS)

test-mutants: $(MUTANTS_INSTALLED) ## faults planted in four modules, which the tests must catch (ten minutes)
	$(BIN)/python -m tests.mutants $(ARGS)

bench: $(INSTALLED) ## what a trial costs, beside bare Dask, Hypernets and Optuna (a quarter of an hour)
	$(BIN)/python -m benchmarks $(ARGS)

images: $(INSTALLED) ## the two images, built here; their sizes
	$(BIN)/python -m tests.kind images

kind-images: $(INSTALLED) ## whatever such a cluster is made of, built; kind-up then takes a minute or two
	$(BIN)/python -m tests.kind build

kind-up: $(INSTALLED) ## a Kubernetes cluster with the images on it, by Docker or by whatever is here
	$(BIN)/python -m tests.kind up

kind-down: $(INSTALLED) ## end that cluster
	$(BIN)/python -m tests.kind down

# Beside each other: tests that share a release, and those that bring their own. Then one by one.
e2e: E2E = e2e and not full and not network
e2e-full: E2E = e2e and not network
e2e e2e-full: kind-up ## the integration tests on that cluster, which ends then (KEEP=1 keeps it)
	codes=; \
	$(E2E_BESIDE) -m '$(E2E) and not releases and not alone and not afterwards' $(ARGS); codes="$$codes $$?"; \
	$(E2E_BESIDE) -m '$(E2E) and releases' $(ARGS); codes="$$codes $$?"; \
	$(E2E_ALONE) -m '$(E2E) and alone' $(ARGS); codes="$$codes $$?"; \
	[ -n "$(ARGS)" ] || { $(E2E_ALONE) -m afterwards; codes="$$codes $$?"; }; \
	[ -n "$(KEEP)" ] || $(BIN)/python -m tests.kind down || exit 1; \
	for code in $$codes; do [ $$code = 0 ] || { [ $$code = 5 ] && [ -n "$(ARGS)" ]; } || exit $$code; done; \
	case "$$codes" in *0*) ;; *) echo "No such test: $(ARGS)" >&2; exit 5 ;; esac

e2e-network: kind-up ## who reaches a search's pods, on a cluster whose network enforces it
	$(E2E_ALONE) -m network $(ARGS)

test-upstream: test-hypernets test-hypergbm ## Hypernets' own tests and HyperGBM on our dispatcher (half an hour)

test-hypernets: $(INSTALLED)
	$(BIN)/python -m tests.upstream.hypernets_suite $(ARGS)

test-hypergbm: $(HYPERGBM_INSTALLED)
	$(HYPERGBM)/bin/python -m pytest -m upstream tests/upstream

manifests: $(INSTALLED) ## write anew what is made of the types and of the chart, tables of the docs too
	$(BIN)/python -m hyn_k8s.api crd > manifests/crd.yaml
	$(BIN)/python -m hyn_k8s.api values-schema > charts/hyn-k8s/values.schema.json
	$(BIN)/python -m tests.chart.install_manifest > manifests/install.yaml
	$(BIN)/python -m tests.tables

format: $(INSTALLED) ## rewrite the code as the linter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: $(INSTALLED) ## resolve constraints.txt anew, for every supported Python
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt

clean: ## remove the virtual environment and what tests and demos leave
	rm -rf $(VENV) $(HYPERGBM) workdir mutants

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	|| { echo "Python 3.11 to 3.13 is needed; found $$($(PYTHON) --version). Try: make PYTHON=python3.11" >&2; exit 1; }
endef

# uv installs in a tenth of pip's time. It does not read pip's configuration, so where an index
# of one's own is only in that, pip does it.
define INSTALL
$(1)/bin/uv pip install --quiet --python $(1)/bin/python -c $(2) $(WANTED) \
	|| $(1)/bin/pip install --quiet --disable-pip-version-check -c $(2) $(WANTED)
endef

$(RUNNABLE): WANTED = -e '.[search,cli]'
$(RUNNABLE): pyproject.toml constraints.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(call INSTALL,$(VENV),constraints.txt)
	@touch $@

$(INSTALLED): WANTED = -e '.[search,operator,cli,test,bench,dev]'
$(INSTALLED): $(RUNNABLE)
	$(call INSTALL,$(VENV),constraints.txt)
	@touch $@

$(MUTANTS_INSTALLED): WANTED = -e '.[mutants]'
$(MUTANTS_INSTALLED): $(INSTALLED)
	$(call INSTALL,$(VENV),constraints.txt)
	@touch $@

$(HYPERGBM_INSTALLED): WANTED = -e '.[search,cli,test]' hypergbm==0.3.2
$(HYPERGBM_INSTALLED): pyproject.toml constraints-hypergbm.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(HYPERGBM)
	$(HYPERGBM)/bin/pip install --quiet --disable-pip-version-check uv
	$(call INSTALL,$(HYPERGBM),constraints-hypergbm.txt)
	@touch $@
