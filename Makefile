# A thin front: each target forwards to meson or to a program in tools/.

FUZZ_SECONDS ?= 60
TIDY_PATHS ?= src/base src/codec src/iam src/store src/object src/app

.PHONY: build test asan tsan fuzz lint format bench clean

build:
	@sh tools/build.sh release

test: asan

asan:
	@./check

tsan:
	@sh tools/build.sh tsan

fuzz:
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tools/build.sh fuzz

lint:
	@sh tools/tidy.sh $(TIDY_PATHS)

format:
	@git ls-files '*.c' '*.h' | xargs -r clang-format -i

bench:
	@sh tools/build.sh bench

clean:
	rm -rf build build-* tests/s3/node_modules
