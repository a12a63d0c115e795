"""The way to the network, which gives up on an answer that does not come.

The SDK's own would wait five minutes for a connection and five more for each part of an answer
(azure-core, `ConnectionConfiguration`); a hung request would be as long past any deadline.
"""

from azure.core.pipeline.transport import RequestsTransport

# Linux sends a lost SYN again after 1, 3 and 7 s (RFC 6298, section 2): who has not answered the
# fourth is not there.
CONNECT = 10.0
# ARM waits 60 s for a resource provider, and then says so (resource-provider RPC v1.0): that
# answer is worth waiting for, because it is ARM's.
READ = 75.0


def network_transport() -> RequestsTransport:
    """A transport of its own, for one client or several."""
    return RequestsTransport(connection_timeout=CONNECT, read_timeout=READ)
