"""What is made of the types, for a file: ``python -m hyn_k8s.api crd``, or one of

crd              the CustomResourceDefinition
values-schema    the schema of the chart's values
fields           the table of a SearchJob's fields, in Markdown
values           the table of the chart's values
"""

from __future__ import annotations

import json
import sys

from hyn_k8s.api.chart import values_schema
from hyn_k8s.api.crd import definition
from hyn_k8s.api.reference import chart_values, search_job_fields
from hyn_k8s.api.text import yaml_text

match sys.argv[1:]:
    case ["crd"]:
        print(yaml_text(definition()), end="")
    case ["values-schema"]:
        print(json.dumps(values_schema(), indent=2))
    case ["fields"]:
        print(search_job_fields(), end="")
    case ["values"]:
        print(chart_values(), end="")
    case _:
        usage = "python -m hyn_k8s.api crd | values-schema | fields | values"
        sys.exit(f"usage: {usage}")
