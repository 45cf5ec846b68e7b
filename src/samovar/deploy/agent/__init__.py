"""``deploy agent``: the pull model. A host watches a registry and serves what it has proven itself.

``watch`` asks what the reference points to, ``steps`` runs samovar's own commands (pull, verify),
``servers`` and ``crew`` run ``samovar serve`` behind a ``door`` that outlives each of them,
``records`` is all that is on disk, ``agent`` brings the one to the other, ``page`` shows it and
``unit`` writes it for systemd. The decision is docs/decisions/0013-agent.md.
"""
