# The same lines for Windows stand in README.md.
PYTHON ?= python3

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -r requirements.txt
	.venv/bin/jupyter labextension disable @jupyterlab/apputils-extension:announcements  # reaches out for news
	touch .venv/ready

.PHONY: setup lab test bench lint upgrade
setup: .venv/ready
	.venv/bin/python -m course_lib fetch

lab: setup
	.venv/bin/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb

test: setup
	.venv/bin/pytest --nbval-lax

bench: setup
	.venv/bin/pytest -v benchmarks

lint: .venv/ready
	.venv/bin/pip install --quiet -r requirements-dev.txt
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/codespell
	.venv/bin/jupyter nbconvert --log-level=ERROR --to markdown --stdout --ClearOutputPreprocessor.enabled=True \
		notebooks/*.ipynb | .venv/bin/codespell -

# Every direct dependency in its newest version (KEEP=torch: but that one as pinned), in an environment of its own.
# Says what is newer, then what breaks; if nothing does, .newest/pins.txt holds the new pins.
upgrade:
	$(PYTHON) -m venv --clear .newest
	sed '/^$(KEEP)==/!s/==/>=/' requirements.txt > .newest/wanted.txt
	.newest/bin/pip install -r .newest/wanted.txt
	.newest/bin/pip freeze --quiet -r requirements.txt | sed '/^##/,$$d; s/+.*//' > .newest/pins.txt
	-diff -iB -I '^-e' requirements.txt .newest/pins.txt
	.newest/bin/python -m course_lib fetch
	.newest/bin/pytest --nbval-lax -r fE
