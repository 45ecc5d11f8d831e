"""Faults planted in the modules that decide most, one at a time: do the tests catch them?

``make test-mutants`` has mutmut plant them, where ``[tool.mutmut]`` in pyproject.toml says, and
compares what the tests caught with ``floor.toml``. So a change of the tests is seen to weaken them.
"""
