"""JSON Schemas of the documents that ccgpu prints; `table` has them all."""
