# Every target sets up .venv by itself, and again only when a requirements file changed.
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
# Two processes, each with one thread; what shares long preparations stays together.
TWO = -n 2 --dist loadgroup
PIP = .venv/bin/python -m pip --disable-pip-version-check install -q

help:
	@echo "make bench      run the benchmark: results, tables, figures"
	@echo "make test       run all tests, in two processes"
	@echo "make test-fast  run the quick ones among them"
	@echo "make lint       check the code with ruff and its types with mypy"
	@echo "make app        start the demo"
	@echo "make figures    draw the figures again from the results"

bench: .venv/.runtime
	.venv/bin/python benchmark/run.py --methods lw lt lw_neural

test: .venv/.dev
	.venv/bin/python -m pytest -q $(TWO)

test-fast: .venv/.dev
	.venv/bin/python -m pytest -q $(TWO) -m "not slow"

lint: .venv/.dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy

app: .venv/.runtime
	.venv/bin/python app.py

figures: .venv/.runtime
	.venv/bin/python benchmark/run.py --figures-only

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements.txt | .venv/bin/python
	$(PIP) -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	$(PIP) -r requirements-dev.txt
	@touch $@

.PHONY: help bench test test-fast lint app figures
