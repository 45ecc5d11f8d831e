"""What goes wrong around a search, one module a thing that is lost; the fault is always real."""
