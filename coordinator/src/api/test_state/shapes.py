#!/usr/bin/env python3
"""Makes shapes.json: what the answers of AWS's services look like, from botocore's models, for the mocks of TestState.

    pip install botocore && python3 shapes.py > shapes.json

Of all services that would be more than 8 MB: these are the ones with optimised integrations, and each is a line of its own so that
only what is asked for is parsed. The operations of Amazon EMR, Amazon Bedrock and API Gateway that optimised integrations call by names
of their own are not among them.

A shape is "s" (string, blob or timestamp), "n" (number), "b" (boolean), "d" (anything), ["l", shape] (list),
["m", shape] (map), ["e", words...] (one of these), or a name that "shapes" of the service explains:
{"f": {field: shape}, "r": [required fields]}.
"""
import json

import botocore.loaders

# The name in a Resource, and botocore's.
SERVICES = {
    "apigateway": "apigateway", "athena": "athena", "batch": "batch", "bedrock": "bedrock",
    "bedrockruntime": "bedrock-runtime", "codebuild": "codebuild", "databrew": "databrew", "dynamodb": "dynamodb",
    "ecs": "ecs", "eks": "eks", "emr": "emr", "emrcontainers": "emr-containers", "emrserverless": "emr-serverless",
    "eventbridge": "events", "glue": "glue", "lambda": "lambda", "mediaconvert": "mediaconvert", "s3": "s3",
    "sagemaker": "sagemaker", "secretsmanager": "secretsmanager", "sfn": "stepfunctions", "sns": "sns", "sqs": "sqs",
}
# The operations of services whose others would take more than all other services together.
OPERATIONS = {
    "sagemaker": {
        "CreateEndpoint", "CreateEndpointConfig", "CreateHyperParameterTuningJob", "CreateLabelingJob", "CreateModel",
        "CreateProcessingJob", "CreateTrainingJob", "CreateTransformJob", "UpdateEndpoint",
    },
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
            if "output" in described and operation in OPERATIONS.get(name, {operation}):
                action = operation[:1].lower() + operation[1:]
                operations[action] = describe(described["output"]["shape"], model, shapes)
        services[name] = {"operations": operations, "shapes": shapes}
    # A function's answer is any JSON.
    services["lambda"]["shapes"]["InvocationResponse"]["f"]["Payload"] = "d"
    lines = (f"{json.dumps(name)}:{json.dumps(services[name], separators=(',', ':'), sort_keys=True)}" for name in sorted(services))
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
