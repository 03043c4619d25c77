# Every target sets up what it needs in .venv, on a machine with Python 3.10 or newer.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: check demo test slow bench golden clean help

help:
	@echo "make check   format, lint, types and the fast tests"
	@echo "make demo    run nano on real pictures and a real video; results in demo_out/"
	@echo "make test    the fast tests"
	@echo "make slow    the slow tests too: full-size networks, oracles"
	@echo "make bench   work, memory and time of the network, as tables"
	@echo "make golden  compare with the recorded numbers of the original, tensor by tensor"

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/python tools/demo.py --out demo_out

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

test: $(INSTALLED)
	$(BIN)/pytest

slow: $(INSTALLED)
	$(BIN)/pytest -m "not gpu"

bench: $(INSTALLED)
	$(BIN)/python benchmarks/work.py
	$(BIN)/python benchmarks/vocabulary_memory.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/deformable.py
	$(BIN)/python benchmarks/mask_losses.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/average_precision.py
	$(BIN)/python benchmarks/comparison.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/second_look.py
	$(BIN)/python benchmarks/index_memory.py
	$(BIN)/python benchmarks/video_overhead.py
	$(BIN)/python benchmarks/video_stages.py
	$(BIN)/python benchmarks/video_memory.py --frames 1000

golden: $(INSTALLED)
	$(BIN)/python tools/compare_golden.py tests/golden/small
	$(BIN)/python tools/compare_golden.py tests/golden/small --training

clean:
	rm -rf .venv dist build demo_out
