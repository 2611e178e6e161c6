"""The benchmarks: `make bench` measures each figure against a reference in the same run."""
