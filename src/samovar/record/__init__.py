"""Run the training command and record it; reproduce a record."""
