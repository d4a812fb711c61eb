"""How exact landmarks, masks and tracks are."""
