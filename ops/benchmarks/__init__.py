"""The benchmarks of `make bench`, which measure each figure against a reference in the same run."""
