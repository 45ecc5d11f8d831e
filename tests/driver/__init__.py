"""Tests of the driver's pod."""
