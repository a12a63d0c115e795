"""Image galleries (Azure Compute Gallery): galleries, image definitions and image versions."""
