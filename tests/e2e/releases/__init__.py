"""Releases of the chart for one namespace each, beside each other; there is no shared one."""
