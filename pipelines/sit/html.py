"""The verdict on a system as a page that loads nothing from anywhere, for people and their screen readers."""

from html import escape

from pipelines.sit.check import Outcome, Result
from pipelines.sit.report import SitReport

_WORDS = {Outcome.PASS: "✓ pass", Outcome.FAIL: "✗ FAIL", Outcome.SKIPPED: "– skipped"}
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}caption{text-align:left;padding:.5rem 0}
th,td{border:1px solid #767676;padding:.4rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
td.n{text-align:right;white-space:nowrap}td.o{white-space:nowrap}
tr.fail td,tr.fail th{background:#fdecea}tr.fail .o{font-weight:bold}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}tr.fail td,tr.fail th{background:#4a1512}}
"""


def as_html(report: SitReport) -> str:
    """A whole document; what failed comes first in words, and every check in a table."""
    title = f"{'Go' if report.go else 'No-go'}: {report.target}"
    when = f'<time datetime="{report.at.isoformat()}">{report.at:%Y-%m-%d %H:%M} UTC</time>'
    failures = [result for result in report.results if result.outcome is Outcome.FAIL]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>{escape(report.verdict)}. Examined {when}.</p>
{_failures(failures)}
<h2>All checks</h2>
<table>
<caption>What the system had to prove before production, what came of it, and what that rests on.</caption>
<thead><tr><th scope="col">Check</th><th scope="col">Outcome</th><th scope="col">It proves that</th>
<th scope="col">Evidence</th><th scope="col">Seconds</th></tr></thead>
<tbody>
{"".join(_row(result) for result in report.results)}</tbody>
</table>
</main>
</body>
</html>
"""


def _failures(failures: list[Result]) -> str:
    if not failures:
        return "<h2>What failed</h2>\n<p>Nothing.</p>"
    items = "".join(f"<li><strong>{escape(r.id)}</strong>: {escape(r.evidence)}</li>\n" for r in failures)
    return f"<h2>What failed</h2>\n<ul>\n{items}</ul>"


def _row(result: Result) -> str:
    cells = (
        f'<td class="o">{_WORDS[result.outcome]}</td><td>{escape(result.proves)}</td><td>{escape(result.evidence)}</td>'
    )
    head = f'<th scope="row">{escape(result.id)}</th>'
    return f'<tr class="{result.outcome.value}">{head}{cells}<td class="n">{result.seconds:.1f}</td></tr>\n'
