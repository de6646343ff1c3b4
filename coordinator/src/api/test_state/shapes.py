#!/usr/bin/env python3
"""Makes shapes.json: what the answers of AWS's services look like, from botocore's models, for the mocks of TestState.

    pip install botocore && python3 shapes.py > shapes.json

A shape is "s" (string, blob or timestamp), "n" (number), "b" (boolean), "d" (anything), ["l", shape] (list),
["m", shape] (map), ["e", words...] (one of these), or a name that "shapes" of the service explains:
{"f": {field: shape}, "r": [required fields]}.
"""
import json

import botocore.loaders

# The name in a Resource, and botocore's.
SERVICES = {
    "dynamodb": "dynamodb", "eventbridge": "events", "lambda": "lambda", "s3": "s3", "secretsmanager": "secretsmanager",
    "sfn": "stepfunctions", "sns": "sns", "sqs": "sqs",
}
PRIMITIVE = {"string": "s", "blob": "s", "timestamp": "s", "character": "s", "boolean": "b",
             "integer": "n", "long": "n", "float": "n", "double": "n", "bigdecimal": "n"}


def upper(name):
    return name[:1].upper() + name[1:]


def describe(name, model, out):
    shape = model["shapes"][name]
    kind = shape["type"]
    if shape.get("document") or shape.get("eventstream"):
        return "d"
    if kind == "string" and "enum" in shape:
        return ["e", *shape["enum"]]
    if kind in PRIMITIVE:
        return PRIMITIVE[kind]
    if kind == "list":
        return ["l", describe(shape["member"]["shape"], model, out)]
    if kind == "map":
        return ["m", describe(shape["value"]["shape"], model, out)]
    if name not in out:
        out[name] = {}
        fields = {upper(field): describe(member["shape"], model, out) for field, member in shape["members"].items()}
        out[name] = {"f": fields}
        if shape.get("required"):
            out[name]["r"] = [upper(field) for field in shape["required"]]
    return name


def main():
    loader = botocore.loaders.Loader()
    services = {}
    for name, own in SERVICES.items():
        model, shapes, operations = loader.load_service_model(own, "service-2"), {}, {}
        for operation, described in model["operations"].items():
            if "output" in described:
                action = operation[:1].lower() + operation[1:]
                operations[action] = describe(described["output"]["shape"], model, shapes)
        services[name] = {"operations": operations, "shapes": shapes}
    # A function's answer is any JSON.
    services["lambda"]["shapes"]["InvocationResponse"]["f"]["Payload"] = "d"
    print(json.dumps(services, separators=(",", ":"), sort_keys=True))


if __name__ == "__main__":
    main()
