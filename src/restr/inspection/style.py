"""How restr's own pages about data look; by day and by night, without a script."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #191b1f; --quiet: #666b74; --line: #e3e5e8; --raised: #f5f6f8;
  --accent: #0b62c4; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --paper: #131518; --ink: #e7e9ec; --quiet: #9aa0aa; --line: #2b2f35; --raised: #1c1f24;
  --accent: #7ab7ff; --good: #5ec97b; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1160px; padding: 2rem 1.2rem 4rem; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 1rem; } h2 { font-size: 1.12rem; margin: 2.4rem 0 .8rem; }
small, .quiet { color: var(--quiet); } .good { color: var(--good); }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
table { border-collapse: collapse; } td, th { padding: .3rem 1.1rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--quiet); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 1.3rem 1rem; }
figure { margin: 0; } figure img { display: block; width: 100%; height: 190px; object-fit: contain; border-radius: 8px;
  background: var(--raised); }
figcaption { font-size: .86rem; line-height: 1.4; margin-top: .45rem; overflow-wrap: anywhere; }
figure small { font-size: .78rem; }
.card { color: inherit; border-radius: 8px; } .card:hover { text-decoration: none; } .card:hover img { filter: brightness(1.06); }
.bar { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: center; margin: 0 0 1.4rem;
  padding: .8rem 0; background: var(--paper); border-bottom: 1px solid var(--line); }
.bar form { display: flex; gap: .5rem; flex: 1 1 17rem; }
input[type=search], button { font: inherit; color: inherit; padding: .35rem .75rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--raised); }
input[type=search] { flex: 1; min-width: 0; } button { cursor: pointer; }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; }
.chips a { padding: .2rem .7rem; border-radius: 99px; color: var(--quiet); border: 1px solid var(--line); white-space: nowrap; }
.chips a[aria-current] { background: var(--ink); border-color: var(--ink); color: var(--paper); }
.pages { display: flex; gap: 1rem; justify-content: center; align-items: baseline; margin: 2.2rem 0 0; }
.sheet { display: grid; grid-template-columns: minmax(0, 1fr) 250px; gap: 2rem; align-items: start; }
.stage img { display: block; width: 100%; max-height: 74vh; object-fit: contain; border-radius: 8px; background: var(--raised); }
.stage .bare, .stage input:checked ~ .laid { display: none; } .stage input:checked ~ .bare { display: block; }
.steps a:first-child { margin-right: auto; }
.stage label { display: inline-block; margin: 0 0 .7rem .4rem; }
.facts dt { color: var(--quiet); font-size: .8rem; } .facts dd { margin: 0 0 .7rem; overflow-wrap: anywhere; }
@media (max-width: 760px) { .sheet { grid-template-columns: 1fr; gap: 1rem; } }
"""
