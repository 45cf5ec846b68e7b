"""OCI distribution client: push and pull what the store has, and read and write referrers.

Nothing that arrives here stands under its final name before its digest was checked, and no secret
leaves this room but in an ``Authorization`` header to the host it was kept for.

References
----------
OCI distribution specification 1.1; Docker registry token authentication specification.
"""
