"""The style of the pages about a dataset."""

from restr.report.page import PAGE_STYLE

# A browser accepts only this style, by its hash: see ``browse``.
RULES = """
table { width: auto; } h1 + .wide { margin-top: 1rem; } .quiet + .grid { margin-top: .8rem; }
figure small { font-size: .78rem; }
.card { color: inherit; border-radius: 8px; } .card:hover { text-decoration: none; } .card:hover img { filter: brightness(1.06); }
.toolbar { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: center;
  margin: .6rem 0 1.4rem; padding: .8rem 0; background: var(--paper); border-bottom: 1px solid var(--line); }
.toolbar form { display: flex; gap: .5rem; flex: 1 1 17rem; }
input[type=search], button { font: inherit; color: inherit; padding: .35rem .75rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
input[type=search] { flex: 1; min-width: 0; } button { cursor: pointer; }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; }
.chips a { padding: .2rem .7rem; border-radius: 99px; color: var(--quiet); border: 1px solid var(--line); white-space: nowrap; }
.chips a[aria-current] { background: var(--ink); border-color: var(--ink); color: var(--paper); }
.pages { display: flex; gap: 1rem; justify-content: center; align-items: baseline; margin: 2.2rem 0 0; }
.sample { display: grid; grid-template-columns: minmax(0, 1fr) 250px; gap: 2rem; align-items: start; margin-top: 1rem; }
.stage img { display: block; width: 100%; max-height: 74vh; object-fit: contain; border-radius: 8px; background: var(--card); }
.stage .bare, .stage input:checked ~ .masked { display: none; } .stage input:checked ~ .bare { display: block; }
.stage label { display: inline-block; margin: 0 0 .7rem .4rem; }
.steps a:first-child { margin-right: auto; }
.facts dt { color: var(--quiet); font-size: .8rem; } .facts dd { margin: 0 0 .7rem; overflow-wrap: anywhere; }
@media (max-width: 760px) { .sample { grid-template-columns: 1fr; gap: 1rem; } }
"""
STYLE = PAGE_STYLE + RULES
