"""The user's own WSGI or ASGI application behind the same connections, limits and draining."""
