"""A report as one HTML file that needs no other: pictures are in it, and nothing in it is run or loaded.

What a run printed may be anything. It is escaped, and a policy in the head of the page forbids scripts and
the net, should something have been forgotten.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape

from .report_blocks import Block, Code, Facts, Heading, Picture, Table, Text

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_STYLE = """
:root{color-scheme:light dark;--text:#222;--soft:#666;--line:#ddd;--back:#fff;--code:#f5f5f5;--best:#dff3ea}
@media(prefers-color-scheme:dark){:root{--text:#ddd;--soft:#999;--line:#444;--back:#181818;
--code:#242424;--best:#123d2e}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);
max-width:70rem;margin:2rem auto;padding:0 1rem}
h1,h2,h3{line-height:1.25}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td{overflow-wrap:break-word}td:first-child{white-space:nowrap}th{color:var(--soft);font-weight:600;white-space:nowrap}
td.strong{font-weight:bold;background:var(--best)}
pre{background:var(--code);padding:.7rem;overflow:auto;max-height:40rem;font-size:13px;line-height:1.4}
figure{margin:1rem 0}figcaption{color:var(--soft);font-size:13px}img{max-width:100%;height:auto}
summary{cursor:pointer;color:var(--soft)}
@media print{pre{max-height:none;white-space:pre-wrap}}
"""


def render(title: str, blocks: Iterable[Block]) -> str:
    """The page, whole.

    Args:
        title: of the page.
        blocks: in order.
    """
    body = "\n".join(map(_block, blocks))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_text(text)}</h{level}>"
        case Text(text):
            return f"<p>{_text(text)}</p>"
        case Facts(rows):
            cells = (
                f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>' for name, value in rows
            )
            return f'<div class="wide"><table>{"".join(cells)}</table></div>'
        case Table():
            return _table(block)
        case Code(text, _, summary):
            pre = f"<pre><code>{_text(text)}</code></pre>"
            return f"<details><summary>{_text(summary)}</summary>{pre}</details>" if summary else pre
        case Picture(caption, content, mime):
            data = f"data:{mime};base64,{b64encode(content).decode('ascii')}"
            alt = _text(caption)
            return f'<figure><img src="{data}" alt="{alt}"><figcaption>{alt}</figcaption></figure>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in table.columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="strong">{_text(cell)}</td>'
            if (row, column) in table.strong
            else f"<td>{_text(cell)}</td>"
            for column, cell in enumerate(cells)
        )
        + "</tr>"
        for row, cells in enumerate(table.rows)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(text: str) -> str:
    """A text that can do nothing; a character that HTML can't have is seen as one that is missing."""
    return escape("".join(one if one in "\n\t" or _is_allowed(one) else "�" for one in text))


def _is_allowed(char: str) -> bool:
    return char >= " " and not "\x7f" <= char <= "\x9f" and not "\ud800" <= char <= "\udfff"
