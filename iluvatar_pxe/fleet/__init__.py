"""The declared state: models and their validation, parsed purely."""
