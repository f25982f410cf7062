"""Output for people: pages, masks on pictures, charts, tables, and text that fits."""
