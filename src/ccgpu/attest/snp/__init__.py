"""AMD SEV-SNP: attestation reports, their certificates, and revocation lists."""
