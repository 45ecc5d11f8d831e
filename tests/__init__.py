"""Tests of hyn-k8s; their tree mirrors the package's."""
