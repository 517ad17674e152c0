# The workbook's commands; `make` alone lists them. Works with GNU make 3.81 (macOS) and newer.
#
# Linux: pip's own torch is the CUDA build, some GB. For the CPU-only build, much smaller:
#     make run PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
# or a certain CUDA build: .../whl/cu128. Both matter only when .venv is made.
#
# Variables given on the command line (make run PRESET=starcoder) reach the programs through the environment.

PYTHON ?= python3
# Threads that spin while they wait take the cores from other processes; read when torch loads.
export OMP_WAIT_POLICY ?= passive
BIN := .venv/bin

.PHONY: help run lab check lint test faults bench
.DELETE_ON_ERROR:

help:
	@echo 'make run    run notebooks 01 to 07 in order, without a browser, and print a summary'
	@echo 'make lab    open the notebooks in JupyterLab, on this machine only'
	@echo 'make check  lint, format, spelling, types and the fast tests: less than a minute'
	@echo 'make test   the same with every test'
	@echo 'make faults kill, damage and disconnect training runs, some 30 minutes; FAULTS="kills --kills 20" for one part'
	@echo ''
	@echo 'The first call makes .venv and installs into it; PYTHON=python3.12 chooses the interpreter it is made with.'
	@echo 'Choices for run and lab, all optional (for lab give absolute paths):'
	@echo '  PRESET=tiny                      or tiny-starcoder-py, starcoderbase-1b, starcoder, starcoder-1gpu'
	@echo '  PAIRS=python-basics              or python-stdlib, gpteacher-codegen, a file, OWNER/NAME@COMMIT'
	@echo "  OVERRIDES='{\"learning_rate\": 1e-4}'   settings that differ from the preset, by the names in the form"
	@echo '  FRESH=1                          start a new training run instead of keeping or resuming the last one'
	@echo '  RUN=tiny-python-basics-2         a specific run: resume it, or show it again'
	@echo '  DATA=data                        the data folder'
	@echo '  GPTEACHER_FILE=codegen-instruct.json   a local copy of the GPTeacher file, so that nothing is downloaded'
	@echo '  MAP=response=output              other field names of your own file, ours first'
	@echo '  IGNORE="id tags"                 fields of your own file that are not part of a pair'
	@echo '  SKIP_BAD=1                       leave out rows with faults and duplicates; otherwise such a file is refused'
	@echo '  REPAIRS="near_duplicates emails" repairs from the data doctor of notebook 01'
	@echo '  BENCHMARKS=humaneval             benchmarks to check the pairs against, or your own .jsonl files'
	@echo '  COMPARE="tiny-python-basics-2"   runs to be compared with in notebook 04; default: the two newest on the same pairs'
	@echo '  TASKS=basics                     tasks of notebook 06; or basics-compositions, basics-wordings, basics-everyday, humaneval,'
	@echo '                                   mbpp, a .jsonl file in HumanEval form'
	@echo '  LAB_OPTIONS=--allow-root         more options for JupyterLab'
	@echo ''
	@echo 'make bench  measure training and data beside TRL and transformers.Trainer; about 20 minutes, better with nothing'
	@echo '            else running; PART=training, data, answers, panels or playground for one.'
	@echo '            On a GPU: make bench DEVICE=cuda MODEL=1.1B (164M, 1.1B, 3.0B, 7.3B, 15.5B),'
	@echo '            PART=arithmetic, contenders, training or decoding for one, each of at most 9 minutes;'
	@echo "            VARIANT='*adamw_bfloat16' for some contenders, OVERRIDES='{\"torch_compile\": true}' in training."
	@echo '            PART=gpu without DEVICE: the parts for a GPU in miniature'

run: .venv/.installed
	@$(BIN)/python -m utils.workbook

lab: .venv/.installed
	$(BIN)/python -m jupyterlab --ip=127.0.0.1 --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks $(LAB_OPTIONS)

check: lint
	@$(BIN)/python -m pytest -q -m 'not slow and not browser and not faults'

lint: .venv/.installed-tests
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ty check --quiet
	@$(BIN)/codespell utils tests notebooks data/README.md README.md Makefile .github

test: lint
	@$(BIN)/python -m pytest -q -rs

faults: .venv/.installed-tests
	@PYTHONPATH=.:tests $(BIN)/python -m faults $(FAULTS)

# Without OMP_WAIT_POLICY: nothing else runs then.
bench: .venv/.installed-bench
	@env -u OMP_WAIT_POLICY PYTHONPATH=.:tests $(BIN)/python -m benchmarks $(if $(PART),--part $(PART)) \
	  $(if $(DEVICE),--device $(DEVICE)) $(if $(MODEL),--model $(MODEL)) $(if $(VARIANT),--variant '$(VARIANT)') \
	  $(if $(OVERRIDES),--settings '$(OVERRIDES)')

# Made again when it is missing, or its interpreter is gone.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo 'There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(0 if sys.version_info >= (3, 11) else \
	  "Python 3.11 or newer is needed; $(PYTHON) is " + v + ". Name another one: PYTHON=python3.12")'
	@echo 'Making .venv and installing into it. The first time this takes some minutes.'
	$(PYTHON) -m venv --clear .venv

# Refreshed only when the pinned versions change.
.venv/.installed: $(BIN)/python requirements.txt constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -r requirements.txt
	@touch $@

.venv/.installed-tests: .venv/.installed tests/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -r tests/requirements.txt
	@touch $@

.venv/.installed-bench: .venv/.installed tests/benchmarks/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -r tests/benchmarks/requirements.txt
	@touch $@
