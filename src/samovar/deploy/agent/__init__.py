"""``deploy agent``: the pull model. A host watches a registry and serves what it has proven itself.

``watch`` asks what the reference points to, ``deploy/commands`` runs samovar's own commands,
``crew`` runs ``samovar serve`` behind a door (``deploy/doors``) that outlives each of them,
``orphans`` finds those that a killed agent left, ``records`` is all that is on disk, ``agent``
brings the one to the other, ``page`` shows it and ``unit`` writes it for systemd. The decision is
docs/decisions/0013-agent.md.
"""
