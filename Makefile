# make demo    set up, run three rounds on generated layouts, print the table, write the report
# make demo-volumes  a VQ-GAN on generated chests: both phases, control, table and pictures
# make report  one HTML page on the configured experiments, finished or not: results/report.html
# make graph   draw the round graph of the configured experiments
# make models  list the denoiser presets: parameters, arithmetic, memory
# make test    set up, run the tests
# make test-cluster  every fault of a scheduler, many times: hours; prints tables of outcomes
# make lint    formatting, style, types, and generated files in step
# make docs    write what is generated anew: config/schema.json, keys in config/README.md
# make bench   measure; tables go to bench/results
# make clean   remove what runs made; the virtual environment stays

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo demo-volumes report graph models test test-cluster lint docs bench clean

demo: $(INSTALLED)
	$(BIN)/snakemake --profile profiles/local --quiet rules
	$(BIN)/python workflow/scripts/draw_rounds.py -- --profile profiles/local
	$(BIN)/python workflow/scripts/show_results.py
	$(BIN)/python workflow/scripts/write_report.py -- --profile profiles/local

report: $(INSTALLED)
	$(BIN)/python workflow/scripts/write_report.py -- --profile profiles/local

demo-volumes: $(INSTALLED)
	$(BIN)/snakemake --profile profiles/local --quiet rules --config 'experiments=[volumes_demo]'
	$(BIN)/python workflow/scripts/show_results.py

graph: $(INSTALLED)
	$(BIN)/python workflow/scripts/draw_rounds.py -- --profile profiles/local

models: $(INSTALLED)
	$(BIN)/python workflow/scripts/list_models.py

# By whole files, in their order: else one process gets all that run for minutes, one by one.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-cluster: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python tests/cluster/lsf_faults.py --runs 20
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/cluster/slurm -m cluster -p no:xdist
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture.py --kills 60

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile rules
	$(BIN)/mypy

docs: $(INSTALLED)
	$(BIN)/python workflow/scripts/document_settings.py

bench: $(INSTALLED)
	$(BIN)/python bench/streaming.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/against_textbook.py --threads 1
	OMP_NUM_THREADS=1 $(BIN)/python bench/iteration.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/growth.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/overheads.py
	$(BIN)/python bench/dry_run.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/resuming.py
	$(BIN)/python bench/step_memory.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/model_memory.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/vqgan.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/volume_inference.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/judge_power.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/evaluation_cost.py
	OMP_NUM_THREADS=1 $(BIN)/python bench/instruments.py
	$(BIN)/python bench/toy.py --grid
	OMP_NUM_THREADS=1 $(BIN)/python bench/objective_cost.py

clean:
	rm -rf results state logs .snakemake

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(INSTALLED)
