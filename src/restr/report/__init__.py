"""What people look at: pages, masks on pictures, charts, tables, and text that fits."""
