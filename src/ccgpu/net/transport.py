"""The HTTP transport to the network, with short timeouts.

The SDK's default waits five minutes for a connection and five more for each part of a response
(azure-core, `ConnectionConfiguration`); a hung request would exceed any deadline by as much.
"""

from azure.core.pipeline.transport import RequestsTransport

# Seconds. Linux resends a lost SYN after 1, 3 and 7 s (RFC 6298, section 2), so this allows four.
CONNECT = 10.0
# Seconds. ARM waits 60 s for a resource provider and then returns an error of its own
# (resource-provider RPC v1.0), which a shorter timeout would miss.
READ = 75.0


def network_transport() -> RequestsTransport:
    """A new transport, for one or more clients."""
    return RequestsTransport(connection_timeout=CONNECT, read_timeout=READ)
