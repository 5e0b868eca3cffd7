# Each step of tests/run has the same name here.

# all steps
all:
    tests/run

install:
    tests/run install

format:
    tests/run format

lint:
    tests/run lint

doc:
    tests/run doc

scripts:
    tests/run scripts

deny:
    tests/run deny

store:
    tests/run store

build:
    tests/run build

# all tests, or those of some crates: just test ext4 fat
test *CRATES:
    {{ if CRATES == "" { "tests/run test" } else { "tests/crate " + CRATES } }}

# what takes hours
long:
    tests/long

# the demo: a store, images, a boot
demo:
    demo/run

# kiln and mksquashfs in turn
bench:
    bench/run

# every fuzz target, two minutes each
fuzz:
    fuzz/run
