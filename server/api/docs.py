"""``/docs``: the OpenAPI document and the table of problems, as one page that loads nothing."""

from typing import Any

from flask import Blueprint, current_app, render_template

from server.api.access import public
from server.api.problem import language
from server.errors import CODES, describe

blueprint = Blueprint("docs", __name__, template_folder="templates")
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"method": method.upper(), "path": path, **found[method]}
        for path, found in sorted(document["paths"].items())
        for method in METHODS
        if method in found
    ]


def _fields(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The members of an operation's JSON body by name; empty where it takes none."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"].get(name, {}).get("properties", {})
    return found


@blueprint.get("/docs")
@public
def docs() -> str:
    """Every route and every problem code, in the language of this request."""
    surface = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    document = surface.spec.to_dict()
    spoken = language()
    operations = [
        operation | {"fields": _fields(operation, document)} for operation in _operations(document)
    ]
    problems = [describe(code, spoken) for code in sorted(CODES)]
    return render_template("docs.html", operations=operations, problems=problems, language=spoken)
