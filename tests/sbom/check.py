"""Checks bills of materials with the libraries of those who made the formats.

usage: check.py FILE…     a line for each: its format, and how many components (packages) and dependencies it has

The libraries are those of requirements.txt. Ends with 1, and says why, when a file is not what it should be.
"""

import json
import sys

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def cyclonedx(text, bill):
    """The official schema, the strict one, and then the library's own model, which knows all references."""
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        return [str(problem)[:2000]], 0, 0
    model = Bom.from_json(bill)
    model.validate()
    refs = [model.metadata.component.bom_ref.value] + [component.bom_ref.value for component in model.components]
    problems = []
    names = set(refs)
    if len(names) != len(bill["components"]) + 1:
        problems.append("a bom-ref is there twice")
    edges = 0
    for dependency in bill["dependencies"]:
        for name in [dependency["ref"]] + dependency.get("dependsOn", []):
            if name not in names:
                problems.append(f"{name} is no component")
        edges += len(dependency.get("dependsOn", []))
    return problems, len(bill["components"]), edges


def spdx(_, bill):
    """All rules of the specification that the library knows."""
    try:
        document = JsonLikeDictParser().parse(bill)
    except SPDXParsingError as error:
        return error.get_messages(), 0, 0
    problems = [message.validation_message for message in validate_full_spdx_document(document)]
    edges = sum(relation.relationship_type.name == "DEPENDS_ON" for relation in document.relationships)
    return problems, len(document.packages), edges


bad = False
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        text = file.read()
    bill = json.loads(text)
    kind = "cyclonedx" if "bomFormat" in bill else "spdx"
    problems, packages, edges = (cyclonedx if kind == "cyclonedx" else spdx)(text, bill)
    for problem in problems[:20]:
        print(f"{name}: {problem}", file=sys.stderr)
    bad = bad or bool(problems)
    print(kind, packages, edges)
sys.exit(bad)
