"""Deployment: files that an expert would have written for Compose, Swarm, Kubernetes, Ray, Ansible.

``deploy/<way>.py`` turns a :class:`samovar.deploy.plan.Plan` into texts, path by path, and touches
nothing; ``deploy/apply_<way>.py`` carries them out with the way's own programs.
"""
