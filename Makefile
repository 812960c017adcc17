# The same lines for Windows stand in README.md.
PYTHON ?= python3

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -r requirements.txt
	.venv/bin/jupyter labextension disable @jupyterlab/apputils-extension:announcements  # reaches out for news
	touch .venv/ready

.PHONY: setup lab test bench
setup: .venv/ready
	.venv/bin/python -m course_lib fetch

lab: setup
	.venv/bin/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb

test: setup
	.venv/bin/pytest --nbval-lax

bench: setup
	.venv/bin/pytest -v benchmarks
