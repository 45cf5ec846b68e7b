"""A second server beside this one: a canary answers a share, a shadow is asked and compared.

docs/decisions/0014-switch.md says why it is done here and not by a proxy in front.
"""
