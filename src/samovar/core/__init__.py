"""Pure values: no file, socket, process or clock is opened here."""
