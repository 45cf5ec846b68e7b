"""Servers that come and go behind a socket that outlives them: the switch that loses no request.

``door`` binds the socket, ``servers`` starts ``samovar serve --door`` behind it and opens, retires
and ends it, ``crew`` puts the next one in front of the last. The agent and ``samovar run`` both
switch by it. The decisions are docs/decisions/0013-agent.md and 0014-switch.md.
"""
