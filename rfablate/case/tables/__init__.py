"""The tables of a case file as pydantic models, with the unit in the key."""
