# Two commands for a newcomer: `make app` starts the dashboard, `make test` runs every test.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

ifeq ($(OS),Windows_NT)
$(error On Windows start the dashboard with a double click on start.bat, or: py -3.12 start.py)
endif

.PHONY: app test check clean

app: .venv/installed
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: .venv/installed-dev
	$(BIN)/python -m pytest

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	@$(PYTHON) start.py --check || { echo "Name another Python with: make app PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache
