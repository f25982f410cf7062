"""What the files of annotation tools (COCO, CVAT, Label Studio) have in common."""
