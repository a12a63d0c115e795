"""The HCL blob of an Azure confidential VM, and the runtime claims in it."""
