"""Environments: observe one, lock it, make it, describe the machine."""
