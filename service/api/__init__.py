"""The driving side: HTTP in. Parse, one call, render; nothing is decided here."""
