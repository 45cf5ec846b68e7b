"""The lock of a project: the one that stands in its folder, or a new one."""
