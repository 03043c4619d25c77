"""The look of a report, in light and in dark, and the rule that nothing is fetched."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load: what the page holds in itself, and nothing else."""

STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --weak: #60666d; --page: #ffffff;
  --line: #d9dde2; --panel: #f5f6f8; --s0: #1f6fd0; --s1: #c4570b; --s2: #1c8049; --s3: #8a3fbd;
  --s4: #b3263e; --s5: #60666d; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --weak: #a0a7b0; --page: #15181c;
  --line: #363c44; --panel: #1e2228; --s0: #6aabff; --s1: #ffa45c; --s2: #5cd08e; --s3: #cf9bf5;
  --s4: #ff8095; --s5: #a0a7b0; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 1100px; margin: 0 auto; padding: 16px 20px 60px; overflow-wrap: anywhere; }
h1 { font-size: 24px; margin: 12px 0 4px; } h2 { font-size: 18px; margin: 34px 0 8px; }
h3 { font-size: 15px; margin: 18px 0 6px; } p.weak, figcaption, .weak { color: var(--weak); }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: 8px 0; }
th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
th { color: var(--weak); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
.row { display: flex; flex-wrap: wrap; gap: 16px; } .chart { width: 340px; max-width: 100%; }
figure { margin: 0; } .pair { background: var(--panel); padding: 12px; margin: 14px 0;
  border-radius: 6px; } .row > figure { max-width: 340px; }
.pair .row > figure { flex: 1 1 300px; min-width: 0; max-width: none; }
img { max-width: 100%; height: auto; display: block; } .grid { stroke: var(--line); }
.label { fill: var(--text); font: 12px system-ui, sans-serif; } .label.small { font-size: 11px; }
.line { fill: none; stroke-width: 2; } .ideal { stroke: var(--weak); stroke-dasharray: 4 4; }
.bar { fill: var(--s0); } summary { cursor: pointer; color: var(--weak); }
""" + "".join(
    f".line.s{n} {{ stroke: var(--s{n}); }} .dot.s{n} {{ fill: var(--s{n}); }}\n" for n in range(6)
)
