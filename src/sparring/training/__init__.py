"""One resumable loop, and what each stage plugs into it."""
