"""The page, as `make app` and a Hugging Face Space start it: `python app.py`.

All of it is in `demo/`; `demo.page` puts it together.
"""

from demo.page import main, page

__all__ = ["main", "page"]

if __name__ == "__main__":
    main()
