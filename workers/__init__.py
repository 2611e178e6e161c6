"""The workers: they turn a report's id into a stored file."""

from workers.heap import share_heap

# Here, before the libraries of the workers are imported: some start threads, each of which would get a heap.
share_heap()
