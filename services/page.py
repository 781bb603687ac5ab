"""The front page: what this is and where to look. It loads nothing, from here or from anywhere."""

from html import escape

from services.endpoints import ENDPOINTS, Endpoint

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Duecast</title></head>
<body>
<h1>Duecast</h1>
<p>When invoices will be paid, how much cash that is, who is a risk, what is odd, whom to contact: {state}.</p>
<ul>
{items}
</ul>
</body>
</html>
"""


def front_page(state: str) -> str:
    """The page as HTML; `state` says in words what serves."""
    return _PAGE.format(state=escape(state), items="\n".join(map(_item, ENDPOINTS)))


def _item(endpoint: Endpoint) -> str:
    path = f'<a href="{endpoint.path}">{endpoint.path}</a>' if endpoint.method == "GET" else endpoint.path
    return f"<li><code>{endpoint.method} {path}</code> {escape(endpoint.summary)}</li>"
