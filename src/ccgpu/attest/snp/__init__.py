"""AMD SEV-SNP: what an attestation report says, and whether AMD stands behind it."""
