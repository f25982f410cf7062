"""Code shared by the readers of annotation tools (COCO, CVAT, Label Studio)."""
