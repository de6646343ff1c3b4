# RabbitMQ from Debian, with the variables and plugins of the image rabbitmq:3-management, for machines that reach no image
# registry.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/.erlang.cookie
COPY rabbitmq-entrypoint.sh /usr/local/bin/
ENV RABBITMQ_LOGS=-
VOLUME /var/lib/rabbitmq
USER rabbitmq
EXPOSE 5672 15672 15692
ENTRYPOINT ["sh", "/usr/local/bin/rabbitmq-entrypoint.sh"]
CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
