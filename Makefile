# Every command runs in .venv, which `make setup` (or the first command that needs it) builds from requirements-dev.lock.
# PYTHON picks the interpreter, ARGS is passed on to the program that a target runs.

PYTHON ?= python3
ARGS   ?=
ROUNDS ?= 100
URL    ?=

BIN := .venv/bin
PY  := $(BIN)/python

# Some of River's models follow the hash order of strings: only a fixed seed makes two runs equal.
# Servers start in a third of the time from compiled modules.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONHASHSEED := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help:  ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Two stamps, so that an edit of pyproject.toml does not install all dependencies anew.
.venv/.locked: requirements-dev.lock
	$(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: .venv/.installed  ## Make .venv from requirements-dev.lock, with askwhen in it

.PHONY: demo
demo: setup  ## Show the service at work, from start to report
	$(BIN)/askwhen demo $(ARGS)

.PHONY: serve
serve: setup  ## Start the service
	$(BIN)/askwhen serve $(ARGS)

# ARGS="orders.csv --label verdict --report orders.html" simulates a file of your own.
.PHONY: simulate
simulate: setup  ## Compare query rules and budgets on a labelled file
	@mkdir -p askwhen-demo
	$(BIN)/askwhen simulate $(or $(ARGS),.venv/lib/python3*/site-packages/river/datasets/phishing.csv.gz --price 0.4 --report askwhen-demo/simulate.html)

.PHONY: test
test: lint types imports coverage  ## All gates: lint, types, imports, tests with their coverage

.PHONY: lint
lint: setup  ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: setup  ## Check types
	$(BIN)/mypy

.PHONY: imports
imports: setup  ## Check who imports whom
	$(BIN)/lint-imports --no-logo

# Servers that tests start write data files of their own (see [tool.coverage.run]), hence erase and combine. A file of tests stays in
# one process, since its tests share servers.
.PHONY: coverage
coverage: setup  ## Run the tests, a process a core; the core must be covered to 95 %
	@$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest --numprocesses=auto --dist=loadfile $(ARGS)
	@$(PY) -m coverage combine --quiet
	$(PY) -m coverage report --include='service/core/*' --fail-under=95

.PHONY: format
format: setup  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# For every platform and Python alike, with as few versions of a package as possible: figures depend on numpy's. uv lives in a
# venv of its own inside .venv, since it is no dependency. Versions are kept as far as they still fit; ARGS=--upgrade takes the newest.
# requirements.lock is what an image or a server installs; requirements-dev.lock has the same versions and the gates' on top.
COMPILE = .venv/uv/bin/uv pip compile pyproject.toml --quiet --universal --fork-strategy fewest --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
.PHONY: lock
lock:  ## Write the locks anew from pyproject.toml
	$(PYTHON) -m venv .venv/uv
	.venv/uv/bin/python -m pip install --quiet uv
	$(COMPILE) --extra dev --output-file requirements-dev.lock $(ARGS)
	$(COMPILE) --extra parquet --extra build --constraint requirements-dev.lock --output-file requirements.lock $(ARGS)

# Campaigns and benchmarks, in the order of benchmarks/README.md.
.PHONY: value
value: setup  ## Compare the default with random asking at the same number of labels
	$(PY) -m benchmarks.value $(ARGS)

# Without ARGS it writes the tables and the figure of the documents anew.
.PHONY: label-efficiency
label-efficiency: setup  ## Compare the default rule with the peers' own code at the same number of labels
	$(PY) -m benchmarks.label_efficiency $(if $(ARGS),$(ARGS),--markdown benchmarks/label-efficiency.md --figure benchmarks/label-efficiency.png)

.PHONY: against-margin
against-margin: setup  ## Compare measures with the default's at the same number of labels
	$(PY) -m benchmarks.against_margin $(ARGS)

.PHONY: rules-win
rules-win: setup  ## Show on which streams measures beat random asking, and on which not
	$(PY) -m benchmarks.where_rules_win $(ARGS)

.PHONY: rule-cost
rule-cost: setup  ## Measure what every rule costs with every measure, beside scikit-activeml
	$(PY) -m benchmarks.rule_cost $(ARGS)

.PHONY: auto-rule
auto-rule: setup  ## Compare the rule auto with every other one at the same number of labels
	$(PY) -m benchmarks.auto_rule $(ARGS)

.PHONY: auto-model
auto-model: setup  ## Compare the default model, which chooses by itself, with the best single one in hindsight
	$(PY) -m benchmarks.auto_model $(ARGS)

.PHONY: external
external: setup  ## Measure what a model of the caller's own is worth: calibration, estimated accuracy, evidence
	$(PY) -m benchmarks.external $(ARGS)

.PHONY: embeddings
embeddings: setup  ## Measure what embeddings cost beside nine scalars, and what embedding a text is worth
	$(PY) -m benchmarks.embeddings $(ARGS)

.PHONY: regression
regression: setup  ## Compare measures with random asking where labels are numbers, and check intervals
	$(PY) -m benchmarks.regression $(ARGS)

.PHONY: pool
pool: setup  ## Compare batches from the pool with random ones, and check samples made near the boundary
	$(PY) -m benchmarks.pool $(ARGS)

.PHONY: initial-training
initial-training: setup  ## Show what imported labels are worth, and the start-up grant after them
	$(PY) -m benchmarks.initial_training $(ARGS)

.PHONY: estimates
estimates: setup  ## Measure whether estimates of accuracy hold what they claim
	$(PY) -m benchmarks.estimates $(ARGS)

.PHONY: what-if
what-if: setup  ## Measure whether what-ifs hold what real runs give
	$(PY) -m benchmarks.what_if $(ARGS)

.PHONY: budget-check
budget-check: setup  ## Prove the label budget on many streams and rules
	$(PY) -m benchmarks.budget_check $(ARGS)

.PHONY: starvation
starvation: setup  ## Show that no stream stops asking
	$(PY) -m benchmarks.starvation $(ARGS)

.PHONY: determinism
determinism: setup  ## Compare replays of one log bit by bit
	$(PY) -m benchmarks.determinism $(ARGS)

.PHONY: kill-loop
kill-loop: setup  ## Kill the server ROUNDS times at random and audit what it remembers
	$(PY) -m loadtest.kill_loop --rounds $(ROUNDS) $(ARGS)

.PHONY: fuzz
fuzz: setup  ## Send thousands of generated requests that OpenAPI allows, and that it does not
	$(PY) -m loadtest.fuzz $(ARGS)

# URL=... loads a running server instead of a fresh one.
.PHONY: loadtest
loadtest: setup  ## Drive a day of traffic through the API, then look for the ceiling
	$(PY) -m loadtest.run $(if $(URL),--url $(URL)) $(ARGS)

.PHONY: bench
bench: setup  ## Measure the speed of the HTTP edge against its bars (needs wrk and two idle cores)
	$(PY) -m benchmarks.edge $(ARGS)

.PHONY: startup
startup: setup  ## Time starts over a log of 100,000 labels
	$(PY) -m benchmarks.startup $(ARGS)

.PHONY: memory
memory: setup  ## Watch the memory of a server with 100 streams under load
	$(PY) -m benchmarks.memory $(ARGS)

# As root, with Debian's buildah, debootstrap and bubblewrap.
.PHONY: image-check
image-check: setup  ## Build the image and run it, confined, without a Docker engine
	$(PY) -m benchmarks.image.check

.PHONY: clean
clean:  ## Remove .venv, caches and build results; data folders stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
