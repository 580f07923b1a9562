"""CFX messages to domain events. This is where wire names end and domain names begin."""
