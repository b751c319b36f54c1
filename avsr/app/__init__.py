"""The caption server: uploads, jobs, pages."""
