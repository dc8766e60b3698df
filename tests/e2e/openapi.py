# SPDX-License-Identifier: MIT
"""An API's published description (OpenAPI 3.1): whether requests and answers fit it, in both directions. Requests may say
nothing that it does not know, so that a client is held to what is published and not to what one server takes."""

import os
import pathlib
import re
import urllib.parse

import harness


class Unavailable(Exception):
    """Why there is none on this machine."""


def find_description(name: str, variable: str) -> pathlib.Path:
    """The file of this name in shared/reference beside the project, or what the variable says."""
    given = os.environ.get(variable)
    places = [pathlib.Path(given)] if given else [
        parent / "shared" / "reference" / name for parent in harness.TOP.parents]
    for place in places:
        if place.exists():
            return place
    raise Unavailable(f"no {name} beside the project: set {variable} to the published description")


class Violation(Exception):
    """What does not fit the description."""


class Description:
    """The published description: which operation a request is, and whether it and its answer fit."""

    def __init__(self, path: pathlib.Path):
        try:
            import jsonschema
            import yaml
        except ImportError as reason:
            raise Unavailable(f"{reason}: apt-get install python3-jsonschema python3-yaml") from None
        self.document = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.validator = jsonschema.Draft202012Validator
        self.resolver = jsonschema.RefResolver("", self.document)
        self.operations = []
        for template, methods in self.document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template)) + "$")
            for method, operation in methods.items():
                self.operations.append((method.upper(), pattern, template, operation))

    def find(self, method, path):
        for its, pattern, template, operation in self.operations:
            match = pattern.match(path)
            if its == method and match:
                return template, operation, {key: urllib.parse.unquote(value) for key, value in match.groupdict().items()}
        return None, None, None

    def check(self, value, schema, what):
        errors = sorted(self.validator(schema, resolver=self.resolver).iter_errors(value), key=str)
        if errors:
            raise Violation(f"{what}: {errors[0].message} at {list(errors[0].absolute_path)}")

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.resolver.resolve(schema["$ref"])[1]
        return schema

    def check_known(self, value, schema, what):
        """Requests say nothing that the description does not know."""
        schema = self.resolve(schema)
        for key, member in value.items() if isinstance(value, dict) and "properties" in schema else ():
            if key not in schema["properties"]:
                raise Violation(f"{what}: no '{key}' in the description")
            self.check_known(member, schema["properties"][key], what)

    def check_query(self, operation, query, what):
        known = {each["name"]: each for each in operation.get("parameters", ()) if each["in"] == "query"}
        for name, value in query.items():
            if name not in known:
                raise Violation(f"{what}: no parameter '{name}' in the description")
            types = str(known[name]["schema"])
            if "'integer'" in types and not re.fullmatch(r"-?\d+", value):
                raise Violation(f"{what}: {name}={value} is no integer")
            if "'boolean'" in types and value not in ("true", "false"):
                raise Violation(f"{what}: {name}={value} is no boolean")
        for name, each in known.items():
            if each.get("required") and name not in query:
                raise Violation(f"{what}: '{name}' is missing")

    def check_request(self, operation, query, kind, body, what):
        self.check_query(operation, query, what)
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            if body:
                raise Violation(f"{what}: a body where there is none")
        elif kind not in content:
            raise Violation(f"{what}: a body of type {kind}, not {list(content)}")
        elif kind == "application/json":
            self.check(body, content[kind]["schema"], what)
            self.check_known(body, content[kind]["schema"], what)

    def check_answer(self, operation, status, body, what):
        responses = operation["responses"]
        answer = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if not answer:
            raise Violation(f"{what}: no status {status} in the description")
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema and not isinstance(body, bytes):
            self.check(body, schema, f"{what}: answer")
        elif not answer.get("content") and body is not None:
            raise Violation(f"{what}: a body where there is none")
