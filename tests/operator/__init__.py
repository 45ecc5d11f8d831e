"""Tests of the operator, against a cluster in memory."""
