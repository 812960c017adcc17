# The same lines for Windows stand in README.md.
PYTHON ?= python3

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -r requirements.txt
	.venv/bin/jupyter labextension disable @jupyterlab/apputils-extension:announcements  # reaches out for news
	touch .venv/ready

.PHONY: setup lab test bench study binder seeds lint links upgrade
setup: .venv/ready
	.venv/bin/python -m course_lib fetch

lab: setup
	.venv/bin/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb

test: setup
	.venv/bin/pytest --nbval-lax -n 2 --dist loadfile  # two files at a time

# Side by side with what a user would otherwise pick (one job: make bench JOBS=scoring), in an environment of its own.
# What it finds: benchmarks/results/README.md
bench:
	$(PYTHON) -m venv .bench
	.bench/bin/pip install --quiet -r benchmarks/requirements.txt
	.bench/bin/python -m course_lib fetch
	.bench/bin/python benchmarks/side_by_side.py $(JOBS)

# Every built-in task with every opponent and several draws: hours, but stop it when you like; it goes on where it was.
study: setup
	.venv/bin/python -m course_lib study $(TASKS)

# Do the lessons' conclusions hold under three seeds, and the recommendations live? About an hour and a half.
seeds: setup
	.venv/bin/pytest -v -n 2 benchmarks

# Binder's steps without Docker, on one core and in 2 GB; writes the tables of README.md and INSTRUCTORS.md.
binder:
	PYTHON=$(PYTHON) benchmarks/binder.sh

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
	.newest/bin/pytest --nbval-lax -n 2 --dist loadfile -r fE

# Are there dead links? Needs a network, and an environment of its own: the checker wants an older pytest.
links:
	$(PYTHON) -m venv .links
	.links/bin/pip install --quiet pytest-check-links==0.10.1
	.links/bin/pytest -c /dev/null --rootdir=. --noconftest -p no:cacheprovider --check-links *.md */README.md */*/README.md notebooks
