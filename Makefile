# The same lines for Windows stand in README.md.
PYTHON ?= python3

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -r requirements.txt
	touch .venv/ready

.PHONY: setup lab test
setup: .venv/ready
	.venv/bin/python -m course_lib fetch

lab: setup
	.venv/bin/jupyter lab notebooks/00-start-here.ipynb

test: setup
	.venv/bin/pytest --nbval-lax
