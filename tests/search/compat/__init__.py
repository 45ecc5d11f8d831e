"""Tests of the repairs: each works, and is made only where it is needed."""
