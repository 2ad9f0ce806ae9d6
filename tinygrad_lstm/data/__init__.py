"""The series that ship."""
