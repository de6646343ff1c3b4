"""A worker in Python over AMQP: all that docs/formats/messages.md asks of one with tasks shorter than a minute."""
import json, os, time, pika

def validate(order):
    if not order["total"]:
        raise ValueError("order %s is over nothing" % order["orderId"])
    return order

HANDLERS = {"Validate": validate, "Charge": lambda order: {"receiptId": "r-" + order["orderId"], "charged": order["total"]}}
ERRORS = {ValueError: "EmptyOrder"}
PREFIX, POOL = os.environ.get("STEPWELL_AMQP__PREFIX", "stepwell"), os.environ.get("STEPWELL_WORKER__POOL", "default")

def outcome(item, redeliveries):
    if item.get("deliveries", 0) + redeliveries > 20:
        return {"outcome": "poisoned"}
    handler = HANDLERS.get(item["resource"].rpartition(":function:")[2].partition(":")[0])
    try:
        return {"outcome": "succeeded", "output": handler(item["input"])} if handler else {"outcome": "unhandled"}
    except Exception as error:
        return {"outcome": "failed", "error": ERRORS.get(type(error), type(error).__name__), "cause": str(error)}

def work(channel, method, properties, body):
    redeliveries, reports = (properties.headers or {}).get("x-delivery-count", 0), []
    for item in json.loads(body):
        report = {key: item[key] for key in ("execution", "branch", "attempt")}
        report.update(worker="python", started_at=int(time.time() * 1000), **outcome(item, redeliveries))
        reports.append({**report, "at": int(time.time() * 1000)})
    kind = pika.BasicProperties(type="stepwell.report.v1", content_type="application/json", delivery_mode=2)
    channel.basic_publish("", properties.reply_to, json.dumps(reports), kind, mandatory=True)  # returns when it is confirmed
    channel.basic_ack(method.delivery_tag)

channel = pika.BlockingConnection(pika.URLParameters(os.environ.get("STEPWELL_AMQP__URL", "amqp://127.0.0.1:5672"))).channel()
channel.confirm_delivery()
channel.basic_qos(prefetch_count=1)
channel.basic_consume("%s.work.%s" % (PREFIX, POOL), work)
channel.start_consuming()
