"""The JSON Schema of a view's request body, found to be one, and to refer to nothing elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from bff.declare.load import Node
from bff.declare.read import Reader, wrong


def _schema(node: Node) -> Mapping[str, Any]:
    schema = node.plain
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(each) for each in error.absolute_path)
        raise wrong(
            "wrong-value", node.place, f"this is no JSON Schema, at /{where}: {error.message}"
        ) from None
    resource = DRAFT202012.create_resource(schema)
    resolver = Registry().with_resource(resource.id() or "", resource).resolver(resource.id() or "")
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except (Unresolvable, ValueError):
            where = "not in it" if reference.startswith("#") else "elsewhere"
            message = f"the schema refers to `{reference}`, which is {where}"
            raise wrong("wrong-value", node.place, message) from None
    found: Mapping[str, Any] = schema
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for word in ("$ref", "$dynamicRef"):
            if isinstance(schema.get(word), str):
                yield schema[word]
        for each in schema.values():
            yield from _references(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


SCHEMA: Final = Reader(_schema, {"type": ["object", "boolean"]})
