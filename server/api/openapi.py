"""How routes are declared: blueprints that read strictly and describe themselves (OpenAPI 3.1)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Request, request
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema, fields
from werkzeug.routing import Rule

from server import __version__
from server.api.problem import MEDIA_TYPE
from server.api.reader import read_body, read_json
from server.api.shortcut import loader_of
from server.errors import Problem
from server.services import services

View = TypeVar("View", bound=Callable[..., Any])

CONFIGURATION = {
    "API_TITLE": "Fieldstamp",
    "API_VERSION": __version__,
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/v1",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "components": {
            "securitySchemes": {
                "device": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            }
        }
    },
}


class ProblemSchema(Schema):
    """RFC 9457 and what it adds."""

    type = fields.String()
    code = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    action = fields.String(required=True)
    retryable = fields.Boolean(required=True)
    request_id = fields.String(required=True)
    fields_ = fields.Dict(keys=fields.String(), values=fields.String(), data_key="fields")


def read_request(request: Request) -> Any:
    """The JSON body of ``request``, read strictly. *Raises* what ``reader`` raises."""
    if not request.is_json:
        raise Problem("unsupported_media", detail="Content-Type must be application/json.")
    return read_json(read_body(request, services().settings))


class StrictParser:
    """Reads bodies with :mod:`server.api.reader`; errors are left to the one error handler.

    Stands in for a parser of webargs, which makes every schema anew for every request.
    """

    DEFAULT_VALIDATION_STATUS = 422

    def use_args(self, schema: type[Schema], *, location: str) -> Callable[[View], View]:
        """Gives the view the body of its request, loaded by ``schema``, as last argument."""
        if location != "json":
            raise ValueError(location)
        load = loader_of(schema())

        def declare(view: View) -> View:
            @wraps(view)
            def loaded(*args: Any, **named: Any) -> Any:
                return view(*args, load(read_request(request)), **named)

            return cast("View", loaded)

        return declare


class Blueprint(SmorestBlueprint):  # type: ignore[misc]
    """A noun of the JSON surface."""

    ARGUMENTS_PARSER = StrictParser()


class Surface(Api):  # type: ignore[misc]
    """All blueprints of the JSON surface and the document about them."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """None: ``problem`` is the one handler."""

    def complete(self, app: Flask) -> None:
        """Adds what the blueprints do not say: plain routes, and who must sign in."""
        for rule in app.url_map.iter_rules():
            if rule.rule.startswith("/v1/"):
                self._complete_rule(rule, app.view_functions[rule.endpoint])
        for answer in self.spec.components.responses.values():
            answer["content"] = {MEDIA_TYPE: next(iter(answer["content"].values()))}

    def _complete_rule(self, rule: Rule, view: Callable[..., Any]) -> None:
        path = self.flask_plugin.flaskpath2openapi(rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if method.lower() not in self.spec._paths.get(path, {}):
                self.spec.path(rule=rule, operations={method.lower(): _plain_operation(view)})
            if getattr(view, "access", None) == "needs":
                self.spec._paths[path][method.lower()]["security"] = [{"device": []}]


def _plain_operation(view: Callable[..., Any]) -> dict[str, Any]:
    """The description of a route that no schema declares, from its docstring."""
    summary = (view.__doc__ or "").strip().partition("\n")[0]
    return {"summary": summary, "responses": {"default": "DEFAULT_ERROR"}}
