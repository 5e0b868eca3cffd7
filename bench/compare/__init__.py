"""Kiln and its peers in turn: `bench/run` starts it, `bench/run --help` says what it does."""
