# Handler of ShipOrder: the input as JSON on stdin, the output as JSON on stdout.
set -eu

order_id=$(sed -n 's/.*"orderId" *: *"\([A-Za-z0-9_-]*\)".*/\1/p')
if [ -z "$order_id" ]; then
    echo '{"errorType": "InvalidOrder", "errorMessage": "there is no orderId to ship"}'
    exit 1
fi
echo "{\"orderId\": \"$order_id\", \"carrier\": \"Stepwell Express\", \"trackingNumber\": \"SW-$order_id\"}"
