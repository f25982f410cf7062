"""What people look at: pages, charts, tables, overlays."""
