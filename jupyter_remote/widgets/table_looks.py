"""The style sheet of the live table of runs, of the view of one run and of the board of a campaign."""

from __future__ import annotations

from .looks import Html

TABLE_STYLE = Html("""<style>
.jr-runs, .jr-view, .jr-board { container-type: inline-size; width: 100%; }
.jr-line { display: grid; gap: 0 10px; padding: 1px 8px; line-height: 22px; align-items: baseline;
  grid-template-columns: 8em 6.5em 6.5em 7em minmax(10em, 3fr) minmax(0, 2fr) 13.5em; }
.jr-line > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.jr-line .jr-in-took { text-align: right; font-variant-numeric: tabular-nums; }
.jr-line .jr-in-run { font-family: var(--jp-code-font-family, monospace); font-size: 90%;
  color: var(--jp-ui-font-color2, inherit); }
.jr-head { font-weight: 600; color: var(--jp-ui-font-color2, inherit);
  border-bottom: 1px solid var(--jr-line); } .jr-head > span:nth-child(3) { text-align: right; }
.jr-stale { opacity: 0.55; }
@container (max-width: 860px) {
  .jr-line { grid-template-columns: 7em 6em 6em 6em minmax(8em, 1fr) minmax(0, 1fr); }
  .jr-line > span:nth-child(7) { display: none; } }
.jr-runs .jr-row { position: relative; margin: 0; padding: 0; width: 100%; overflow: hidden;
  border-bottom: 1px solid var(--jp-border-color3, #eee); }
.jr-runs .jr-row > .widget-html { width: 100%; margin: 0; pointer-events: none; min-width: 0;
  flex: 1 1 100%; }
.jr-runs .jr-row .widget-html-content { width: 100%; min-width: 0; line-height: 22px; }
.jr-runs .jr-row > button { position: absolute; inset: 0; z-index: 1; width: 100%; height: 100%; margin: 0;
  background: transparent; font-size: 0; color: transparent; box-shadow: none; border: none; }
.jr-runs .jr-row > button:hover { background: var(--jp-layout-color2, rgba(128, 128, 128, 0.15));
  opacity: 0.45; box-shadow: none; }
.jr-runs .jr-row.jr-chosen { background: var(--jp-layout-color2, rgba(128, 128, 128, 0.2));
  box-shadow: inset 4px 0 0 var(--jp-brand-color1, #1976d2); }
.jr-runs .jr-row > button:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2);
  outline-offset: -2px; }
:is(.jr-runs, .jr-view, .jr-board) .widget-hbox > .widget-html { align-self: center; margin-left: 8px; }
.jr-log { margin: 4px 0 0; padding: 6px 8px; max-height: 24em; overflow: auto; white-space: pre-wrap;
  word-break: break-word; font-family: var(--jp-code-font-family, monospace); font-size: 12px;
  line-height: 1.35;
  color: var(--jp-content-font-color1, inherit); background: var(--jp-layout-color0, transparent);
  border: 1px solid var(--jr-line); display: flex; flex-direction: column-reverse; }
.jr-log > div { white-space: pre-wrap; }
.jr-curves { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 4px 0; }
.jr-curve { margin: 0; } .jr-curve figcaption { font-size: 12px; } .jr-curve svg { display: block; }
.jr-curve text { fill: var(--jp-ui-font-color2, currentColor); font-size: 10px; }
.jr-curve .jr-axis { fill: none; stroke: var(--jp-border-color1, #bbb); stroke-width: 1; }
.jr-curve .jr-path { fill: none; stroke: var(--jr-busy); stroke-width: 1.5; stroke-linejoin: round;
  stroke-linecap: round; }
.jr-curve .jr-end { fill: var(--jr-busy); }
.jr-board-grid { gap: 3px; width: max-content; max-width: 100%; overflow-x: auto; align-items: center; }
.jr-board-grid > .widget-html { margin: 0 10px 0 0; }
.jr-board-grid .widget-html-content { line-height: 24px; }
.jr-board-grid > button { --tone: var(--jp-ui-font-color2, #6b6b6b); margin: 0; width: 10em; height: 26px;
  line-height: 22px; text-align: left; padding: 0 8px; color: var(--jp-ui-font-color1, inherit);
  background: color-mix(in srgb, var(--tone) 14%, transparent);
  border: 1px solid color-mix(in srgb, var(--tone) 55%, transparent); border-left: 5px solid var(--tone); }
.jr-board-grid > .jr-is-finished { --tone: #007a5a; } .jr-board-grid > .jr-is-failed { --tone: #c04a00; }
.jr-board-grid > .jr-is-running, .jr-board-grid > .jr-is-starting { --tone: #0072b2; }
.jr-board-grid > .jr-is-lost { --tone: #a86400; }
[data-jp-theme-light="false"] .jr-board-grid > .jr-is-finished { --tone: #3ec99d; }
[data-jp-theme-light="false"] .jr-board-grid > .jr-is-failed { --tone: #ff8a50; }
[data-jp-theme-light="false"] .jr-board-grid > .jr-is-running,
[data-jp-theme-light="false"] .jr-board-grid > .jr-is-starting { --tone: #56b4e9; }
[data-jp-theme-light="false"] .jr-board-grid > .jr-is-lost { --tone: #f0b440; }
</style>""")
