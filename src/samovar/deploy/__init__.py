"""What an expert would have written for each orchestrator."""
