"""How many replicas of which size a load needs: what a call costs, a model of the queues, a search.

``cost``, ``replica``, ``simulation`` and ``sizing`` are pure; ``measure`` asks a running server.
"""
