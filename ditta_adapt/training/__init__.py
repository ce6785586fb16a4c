"""The student, and how it is trained."""
