"""Tests of the API's types and of the definition made of them."""
