"""The samples that users copy."""
