"""Real servers and programs for tests, as fixtures.

Each is started by its fixture on loopback with a free port and folders of its own, and ended by
its process id. ``from engines.docker import DockerEngine`` gives the type of what a fixture hands
out. A test that uses one carries ``@pytest.mark.engine``.
"""
