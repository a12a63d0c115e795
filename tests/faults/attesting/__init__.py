"""What can go wrong while `ccgpu attest` runs: in the guest, on the way to it, at the vendors.

`guest_faults` and `answer_faults` meet the commands in the VM, `vendor_faults` the vendors' answers
to requests for collateral. `trial` runs `attest` under one of them and says what must not be.
"""
