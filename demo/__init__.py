"""The page behind `app.py`: what it computes, how it looks, and the editors it starts with."""
