"""Handlers of the order example: a JSON line on stdin is a task, a JSON line on stdout its answer."""

import json
import re
import sys


class Failure(Exception):
    """Fails the task, as an exception of that name fails a Lambda function."""

    def __init__(self, error_type, message):
        super().__init__(message)
        self.error_type = error_type


def validate_order(order):
    """Completes the order; refuses one without a usable id."""
    order_id = order.get("orderId") if isinstance(order, dict) else None
    if not isinstance(order_id, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", order_id):
        raise Failure("InvalidOrder", "orderId must be 1 to 64 letters, digits, - or _")
    return {"amount": "49.90", "currency": "EUR", **order, "status": "VALID"}


def process_payment(payment):
    """Fails the first attempt of each order, as if the payment service was away for a moment."""
    if payment.get("retryCount") == 0:
        raise Failure("Lambda.ServiceException", "the payment service is not available")
    return {"paymentId": f"pay-{payment['orderId']}", "amount": payment["amount"], "status": "PAID"}


def notify_customer(order):
    return {"channel": "email", "text": f"Thank you! Order {order['orderId']} is paid."}


def bill_customer(order):
    return {"invoiceId": f"inv-{order['orderId']}", "amount": order["amount"]}


FUNCTIONS = {
    "ValidateOrder": validate_order,
    "ProcessPayment": process_payment,
    "NotifyCustomer": notify_customer,
    "BillCustomer": bill_customer,
}


def answer(task):
    try:
        return {"id": task["id"], "output": FUNCTIONS[task["function"]](task["input"])}
    except Failure as failure:
        error = {"errorType": failure.error_type, "errorMessage": str(failure)}
    except Exception as exception:
        error = {"errorType": type(exception).__name__, "errorMessage": str(exception)}
    return {"id": task["id"], "failure": error}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
