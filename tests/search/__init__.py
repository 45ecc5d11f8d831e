"""Tests of the search half."""
