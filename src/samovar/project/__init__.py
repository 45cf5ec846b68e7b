"""samovar.toml: read it, check it, adopt a folder."""
