"""Faults made on purpose against real processes, and a watch over what must hold all the while."""
