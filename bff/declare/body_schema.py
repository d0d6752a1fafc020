"""The JSON Schema of a view's request body: valid, and without references to other documents."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from bff.declare.load import Node
from bff.declare.read import Reader, wrong
from bff.model.problem import did_you_mean

_WORDS: Final = frozenset(  # a schema without any of its keywords allows everything
    """
    $ref $defs $schema $id $comment $anchor $dynamicRef $dynamicAnchor $vocabulary type properties
    required additionalProperties patternProperties propertyNames unevaluatedProperties items
    prefixItems contains unevaluatedItems enum const allOf anyOf oneOf not if then else minimum
    maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format minItems
    maxItems uniqueItems minContains maxContains minProperties maxProperties dependentRequired
    dependentSchemas title description default examples
    """.split()  # noqa: SIM905 - as many lines as they need
)


def _schema(node: Node) -> Mapping[str, Any]:
    schema = node.plain
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(step) for step in error.absolute_path)
        raise wrong(
            "wrong-value", node.place, f"this is not a JSON Schema, at /{where}: {error.message}"
        ) from None
    if schema and isinstance(schema, dict) and not _WORDS.intersection(schema):
        message = f"this is not a JSON Schema: it has no keyword, only `{'`, `'.join(schema)}`"
        hint = "`{type: object, properties: {name: {type: string}}}`"
        raise wrong("wrong-value", node.place, message, hint)
    _check_required(schema, node)
    resource = DRAFT202012.create_resource(schema)
    resolver = Registry().with_resource(resource.id() or "", resource).resolver(resource.id() or "")
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except (Unresolvable, ValueError):
            where = "not in it" if reference.startswith("#") else "in another document"
            message = f"the schema refers to `{reference}`, which is {where}"
            raise wrong("wrong-value", node.place, message) from None
    found: Mapping[str, Any] = schema
    return found


def _check_required(schema: Any, node: Node) -> None:
    """Reject an object schema that requires a field and forbids it."""
    if not isinstance(schema, dict):
        return
    fields = schema.get("properties", {})
    if schema.get("additionalProperties") is False and "patternProperties" not in schema:
        missing = [name for name in schema.get("required", ()) if name not in fields]
        if missing:
            message = f"the schema requires `{missing[0]}` and does not allow it"
            raise wrong("wrong-value", node.place, message, did_you_mean(missing[0], fields))
    for field in fields.values():
        _check_required(field, node)
    _check_required(schema.get("items"), node)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for word in ("$ref", "$dynamicRef"):
            if isinstance(schema.get(word), str):
                yield schema[word]
        for part in schema.values():
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


SCHEMA: Final = Reader(_schema, {"type": ["object", "boolean"]})
