"""CFX over AMQP 0-9-1, which RabbitMQ speaks from its first version on."""
