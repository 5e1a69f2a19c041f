"""Seeded generators of pictures with exact labels, for where no package carries real ones."""
