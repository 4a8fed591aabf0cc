# Two commands do everything on a machine with Python 3.11 or 3.12: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE := 1
# pip would compile every module, which takes nearly as long as the rest; Python compiles those that it imports.
PIP_INSTALL := pip install --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=

# On Linux, the package index has PyTorch's CUDA build. Without an NVIDIA driver, PyTorch's own index of CPU builds is
# used, if it answers within five seconds. `make demo CUDA=1` takes the package index's build in any case.
CUDA ?=
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PROBE := import signal, urllib.request; signal.alarm(5); urllib.request.urlopen("$(CPU_INDEX)/torch/", timeout=5)
WANTS_CPU_BUILD = test -z "$(CUDA)" && test "$$(uname -s)" = Linux && ! nvidia-smi >/dev/null 2>&1 && \
	$(PYTHON) -c '$(PROBE)' >/dev/null 2>&1
CPU_BUILD := $(wildcard .venv/lib/python*/site-packages/torch-*+cpu.dist-info)
.PHONY: demo test check mmpose install lint types package docs format wheel clean
ifneq ($(and $(CUDA),$(CPU_BUILD)),)
.PHONY: .venv/.installed
endif

demo: install  ## the whole chain on a real clip; writes runs/demo/index.html
	$(BIN)/crossdiff demo

test: install  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

check: lint types  ## what a change needs, in about a minute: ruff, mypy, and the quick tests of what differs from main
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" $$($(BIN)/python tests/affected.py)

mmpose: .venv-mmpose/.installed  ## an environment for the mmpose backend, and its tests
	cd tests/mmpose_env && OMP_NUM_THREADS=1 $(CURDIR)/.venv-mmpose/bin/python -m pytest

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or 3.12; name it with: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into .venv: one to five minutes, once."
	$(PYTHON) -m venv .venv
	$(if $(and $(CUDA),$(CPU_BUILD)),$(BIN)/pip uninstall --quiet --yes torch)
	@if $(WANTS_CPU_BUILD); then \
		echo "No NVIDIA driver: installing PyTorch's CPU build (the CUDA build: make CUDA=1)."; \
		$(BIN)/$(PIP_INSTALL) --no-deps -c constraints.txt --index-url $(CPU_INDEX) torch \
			|| echo "Not available: installing the package index's build."; \
	fi
	$(BIN)/$(PIP_INSTALL) -c constraints.txt -e '.[dev]'
	touch $@

# mmpose's family asks for packages that must not be installed (requirements/mmpose.txt says which): hence two steps.
.venv-mmpose/.installed: pyproject.toml constraints.txt requirements/mmpose.txt requirements/mmpose-needs.txt
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or 3.12; name it with: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into .venv-mmpose: two to five minutes, once."
	$(PYTHON) -m venv .venv-mmpose
	.venv-mmpose/bin/$(PIP_INSTALL) -c constraints.txt -e . -r requirements/mmpose-needs.txt
	.venv-mmpose/bin/$(PIP_INSTALL) --no-deps --no-build-isolation -r requirements/mmpose.txt
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# mypy and mkdocstrings do not know the folder mapping of pyproject.toml; a folder of links shows them the package as it
# is installed.
PARTS := $(CURDIR)/crossdiff/* $(CURDIR)/pipeline $(CURDIR)/annotations $(CURDIR)/configs $(CURDIR)/pretrained

package:
	rm -rf build/types && mkdir -p build/types/crossdiff
	ln -s $(PARTS) build/types/crossdiff/

types: install package
	cd build/types && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache -p crossdiff

docs: export NO_MKDOCS_2_WARNING := 1
docs: install package  ## the documentation as a site: site/index.html
	$(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

wheel: install
	$(BIN)/python -m build --wheel

clean:
	rm -rf .venv .venv-mmpose build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
