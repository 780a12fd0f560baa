# Telescope: every command a person needs.
#
#   make demo       set up, build, explain a prompt with the default model
#   make test       set up, build, run every test
#   make test-models  download Gemma 3 270M too, and run the tests on it
#   make bench          measure beside PyTorch
#   make experiment-a   flows: the paper's 24 pairs on 229 sentences
#   make install PREFIX=/usr/local

SHELL := /bin/bash
PREFIX ?= /usr/local
SWIFT_FLAGS := -c release
TELESCOPE := .build/release/telescope

.PHONY: demo build setup test test-models bench experiment-a format lint docs install fixtures clean

demo: build
	$(TELESCOPE) explain --max-new-tokens 1 "The capital of France is"

build: setup
	swift build $(SWIFT_FLAGS)

setup:
	@Scripts/setup.sh

test: build
	swift test $(SWIFT_FLAGS)

test-models: build
	Scripts/test-models.sh

bench: build
	Scripts/python-environment.sh
	swift build --package-path Benchmarks $(SWIFT_FLAGS)
	Benchmarks/.build/release/Benchmarks

experiment-a: build
	swift build --package-path Benchmarks $(SWIFT_FLAGS) --product ExperimentA
	Benchmarks/.build/release/ExperimentA

format:
	swift format --in-place --recursive --parallel Sources Tests Benchmarks/Sources Benchmarks/Tests Package.swift

lint:
	swift format lint --strict --recursive --parallel Sources Tests Benchmarks/Sources Benchmarks/Tests Package.swift
	Scripts/line-budget.sh

docs: setup
	Scripts/docs.sh

install: setup
	Scripts/install.sh "$(PREFIX)"

fixtures: setup
	Scripts/python-environment.sh
	.venv/bin/python Scripts/make-model-fixtures.py
	@if [ -n "$(LLAMA_CPP)" ]; then .venv/bin/python Scripts/make-gguf-fixtures.py "$(LLAMA_CPP)"; \
	else echo "gguf.json stay as they are: LLAMA_CPP=<a checkout of llama.cpp> remakes them"; fi
	.venv/bin/python Scripts/make-tree-fixtures.py
	.venv/bin/python Scripts/make-gradient-fixtures.py
	.venv/bin/python Scripts/make-checkpoint-fixtures.py
	.venv/bin/python Scripts/make-archive-fixtures.py
	.venv/bin/python Scripts/make-lens-fixtures.py
	.venv/bin/python Scripts/make-tokenizer-fixtures.py .deps/models/SmolLM2-135M-Instruct.Q4_1.gguf
	.venv/bin/python Scripts/make-vocabulary-fixtures.py

clean:
	rm -rf .build Benchmarks/.build Documentation
