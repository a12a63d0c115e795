"""The HCL blob of an Azure confidential VM: its parts, the runtime claims, who vouches for them."""
