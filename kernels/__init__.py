"""Kernel families and the manager that hands them out. Imports neither CuPy nor a GPU until a kernel is launched."""
