"""The commands in the order of the story, with the line that help shows for each.

A command lives in ``cli/NAME.py`` (dashes as underscores) as ``command``; it is imported only when
it is called, so that help and start stay fast.
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final[dict[str, str]] = {
    "init": "Adopt a folder: find the model, the application and its requirements.",
    "train": "Run the training command and record all that it was made from.",
    "runs": "List, show, compare and check out recorded runs.",
    "reproduce": "Make a recorded run again from its record alone.",
    "diff": "Name every factor that differs between two runs or bundles.",
    "why": "Find which change moved the result.",
    "check": "Fail where the project does not meet a recorded run, and say why.",
    "lock": "Lock the environment for every platform, with hashes.",
    "venv": "Rebuild the locked environment here.",
    "pack": "Make one content-addressed bundle of model, code, lock and receipt.",
    "verify": "Prove that the predictions are the same here, or elsewhere.",
    "attest": "Sign the verdict here, and what the bundle was made of.",
    "serve": "Answer HTTP requests with the model, or with the project's own application.",
    "predict": "Score a file of rows.",
    "export": "Convert the model for use outside Python, and prove that it is the same.",
    "audit": "Read a model file without loading it and say what it would run.",
    "build": "Build a container image, without a daemon.",
    "dockerfile": "Write an equivalent Dockerfile.",
    "inspect": "Show what a bundle is made of.",
    "list": "List the bundles in the store.",
    "tag": "Give a bundle one more name.",
    "remove": "Remove a name from the store.",
    "save": "Write a bundle to one tar file.",
    "load": "Read a bundle from a tar file.",
    "push": "Push a bundle or image to a registry.",
    "pull": "Pull a bundle or image from a registry.",
    "gc": "Delete what no name reaches.",
    "fsck": "Check every blob in the store against its digest.",
    "run": "Run replicas with limits behind one address.",
    "ps": "List what run started.",
    "switch": "Have a run serve another bundle, without a lost request.",
    "logs": "Show what replicas wrote.",
    "stop": "End what run started.",
    "plan": "Say how many replicas of which size a load needs.",
    "deploy": "Write what an orchestrator needs, and carry it out.",
}
