"""A chat room as an ASGI application without client sockets."""
