"""Model files as bytes: formats, the audit; nothing is ever loaded here."""
