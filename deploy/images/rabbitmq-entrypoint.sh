# Turns RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS into settings, as the official image does.
set -eu
{
    echo "loopback_users = none"
    echo "default_user = ${RABBITMQ_DEFAULT_USER:-guest}"
    echo "default_pass = ${RABBITMQ_DEFAULT_PASS:-guest}"
} >"$HOME/rabbitmq.conf"
echo "[rabbitmq_management,rabbitmq_prometheus]." >"$HOME/enabled_plugins"
export RABBITMQ_CONFIG_FILE="$HOME/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$HOME/enabled_plugins"
exec "$@"
