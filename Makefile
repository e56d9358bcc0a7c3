# make demo   install gstex into .venv, compress a sample material, show the result on one page
# make test   install what the tests need into .venv-test and run them
# make test-quick   those of them that need no other compiler, no browser, no window and no whole fit
# make arm64  the same bytes from a core for arm64, in an emulator: ten minutes
# make bench-readme   remake the tables that README and docs quote, as far as eight hours go; again for what is left
# make lint   style and types

SOURCES := $(shell find gstex cuda shaders -type f -not -path '*/__pycache__/*') pyproject.toml

PYTEST := .venv-test/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

NATIVE := $(shell find gstex/native -name '*.cpp' -o -name '*.h' -o -name CMakeLists.txt)

.PHONY: demo test test-quick arm64 bench-readme lint clean

demo: .venv/installed
	.venv/bin/python tools/demo.py

test: .venv-test/installed
	tools/install/browser.sh
	tools/install/gl.sh
	tools/install/ktx_readers.sh .venv-test
	tools/install/dxc.sh .venv-test
	$(PYTEST) $(ARGS)

test-quick: .venv-test/installed
	$(PYTEST) -m "not slow" $(ARGS)

# On this machine, the emulated Python cannot start itself again: tests that do are left out.
arm64: .venv-test/installed
	tools/arm64.sh -m pytest -q -p no:cacheprovider tests/test_same_bits.py tests/test_golden_fits.py -k "not another_cpu"

bench-readme: .venv-test/installed
	.venv-test/bin/python tools/bench.py remake $(ARGS)
	.venv-test/bin/python tools/doc_tables.py

lint: .venv-test/lint-installed
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy

# What `pip install ".[view,compare]"` gives its users. make demo EXTRAS= installs gstex alone.
EXTRAS := [view,compare]
.venv/installed: $(SOURCES)
	@echo "Installing gstex into .venv: some minutes, most of them without a word."
	tools/install/venv.sh .venv
	tools/install/compiler.sh .venv
	.venv/bin/python -m pip install -q --disable-pip-version-check ".$(EXTRAS)"
	touch $@

# The checkout itself, so that an edit of Python needs no new installation. One of C++ does.
.venv-test/installed: pyproject.toml tests/constraints.txt $(NATIVE)
	[ -x .venv-test/bin/python ] || tools/install/venv.sh .venv-test
	tools/install/compiler.sh .venv-test
	.venv-test/bin/python -m pip install -q --disable-pip-version-check -c tests/constraints.txt -e ".[test]"
	touch $@

.venv-test/lint-installed: .venv-test/installed
	.venv-test/bin/python -m pip install -q --disable-pip-version-check -e ".[lint]"
	touch $@

clean:
	rm -rf .venv .venv-test build out
