"""Engine for bytes: uploads, blobs and pictures made of them. Knows no record, no kind, no HTTP."""
