"""Prints what some of the project's extras require, a word each, for the image's layers.

The libraries are installed before the project's own code is copied, so that a change of the code
does not build them again.
"""

import sys
import tomllib

with open("/build/pyproject.toml", "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
print(*(requirement for extra in sys.argv[1:] for requirement in extras[extra]), sep="\n")
