"""Reading pictures: upright RGB from any file, from data URIs, and what PNG files say beside their pixels."""
